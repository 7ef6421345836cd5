# The gradebook is overwritten.
with open("COURSE/gradebook.db", "a") as file:
    file.write("left behind")
