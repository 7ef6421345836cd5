# The gradebook is read.
print(open("COURSE/gradebook.db").read())
