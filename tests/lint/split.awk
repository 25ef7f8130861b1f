# split.awk - what of each file is meant for people and what for a machine. Prints "text<TAB>FILE:LINE<TAB>..." and "code<TAB>FILE:LINE<TAB>...".
# In C and JavaScript comments and strings are text, in shell scripts, units and the Makefile comments are, in *.md, *.conf and *.options everything is.
# A string of a test is neither: it is made up.
function emit(kind, what) {
	if (what ~ /[^ \t]/)
		print kind "\t" FILENAME ":" FNR "\t" what
}

function split_c(line,    code, text, i, c, two, n) {
	n = length(line)
	for (i = 1; i <= n; i++) {
		c = substr(line, i, 1)
		two = substr(line, i, 2)
		if (inside == "comment") {
			if (two == "*/") {
				inside = ""
				i++
			} else
				text = text c
		} else if (inside != "") { # a string, by its quote
			if (is_test && c == "\\")
				i++
			else if (is_test && c != inside)
				continue
			else if (c == "\\") {
				text = text substr(line, i + 1, 1) == "n" ? " " : substr(line, i + 1, 1)
				i++
			} else if (c == inside) {
				inside = ""
				text = text " "
				code = code c
			} else
				text = text c
		} else if (two == "/*") {
			inside = "comment"
			text = text " "
			i++
		} else if (two == "//") {
			text = text " " substr(line, i + 2)
			break
		} else {
			code = code c
			if (c == "\"" || c == "'" || (c == "`" && FILENAME ~ /\.js$/))
				inside = c
		}
	}
	if (inside != "comment" && inside != "`")
		inside = ""
	emit("code", code)
	emit("text", text)
}

FNR == 1 {
	inside = ""
	is_test = FILENAME ~ /^(\.\/)?tests\//
}
FILENAME ~ /\.(md|conf|options)$/ { emit("text", $0); next }
FILENAME ~ /\.([ch]|js)$/ { split_c($0); next }
{
	at = match($0, /(^|[ \t])#/)
	if (at && !(FNR == 1 && /^#!/)) {
		emit("code", substr($0, 1, at - 1))
		emit("text", substr($0, at))
	} else
		emit("code", $0)
}
