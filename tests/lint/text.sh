# shellcheck shell=sh disable=SC2086,SC2154
# text.sh - rules about what people read, and about what lies around. Sourced by lint.sh, with $sources, $scripts and $out.

# Each NAME() and each path that a comment, a page, the config or a help text names.
check_names()
{
	present >"$out/files"
	awk -f tests/lint/split.awk $(grep -E '\.([ch]|js|md|conf|options|sh|service|target|socket)$|(^|/)Makefile$' "$out/files" | grep -v '^run/dash/vendor/') |
		awk -v known=tests/lint/known -v files="$out/files" -f tests/lint/names.awk
}

check_width()
{
	awk '{
		if (length($0) <= 15)
			next
		w = length($0)
		for (i = 1; substr($0, i, 1) == "\t"; i++) # behind the first word a tab counts as one
			w += 7
		if (w > 120)
			print FILENAME ":" FNR ": " w " columns"
	}' $sources
}

# Tables, pictures and what others wrote aside. Which files may be longer, and how much, is in tests/lint/long; a row that is not needed goes.
check_length()
{
	wc -l $sources $scripts $(present -name '*.js' | grep -v '^run/dash/vendor/') | awk 'FNR == NR {
			if ($1 !~ /^#/ && NF)
				most[$1] = $2
			next
		}
		$2 == "total" { next }
		$2 in most { seen[$2] }
		!($2 in most) && $1 > 400 { print $2 " has " $1 " lines" }
		$2 in most && $1 > most[$2] { print $2 " has grown from " most[$2] " to " $1 " lines" }
		$2 in most && $1 <= 400 { print $2 " has 400 lines or fewer: take it off tests/lint/long" }
		END { for (file in most) if (!(file in seen)) print file " is not there: take it off tests/lint/long" }' tests/lint/long -
}

check_todo() { ! grep -rnwIE 'TO''DO|FIX''ME|XX''X' $sources $scripts Makefile; }

# Machines without clang take it (Makefile).
check_prebuilt() { sha256sum -c --quiet run/latency/*.sha256 2>&1 || echo "where a source has changed: make prebuilt"; }

check_build_only()
{
	present \( -name '*.[oda]' -o -name '*.so' -o -name '*.gcda' -o -name '*.gcno' -o -name '*.orig' -o -name '*.rej' \)
	present -size +4 -exec sh -c 'head -c 4 "$1" | grep -qa "^.ELF"' sh '{}' \;
	[ ! -d .git ] || git ls-files build
}
