"""The instructor's side: notebooks from their sources, and a class graded.  Never shipped to students."""
