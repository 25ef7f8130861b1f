# help.awk - what --help prints.
END { printf "%s", help_of(programs[1]) }
