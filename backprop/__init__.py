"""What students and chapters import: the checker, its words, and the networks that the book builds."""
