"""The linear models beside other libraries: rows of problems, tools that solve them, scores that do not trust any."""
