#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Which folder may include what: prints each include that the table below
# doesn't allow, and each folder of sources that isn't in it.
#
# usage: layers.sh [TREE]
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

# A folder or a file, and the folders and files that it may include, below the
# same of kmod and user. What isn't listed is forbidden.
table()
{
	local common="uapi compat base"

	cat <<-END
	kmod *
	kmod/uapi/linux *
	kmod/compat *
	kmod/compat/net *
	kmod/lpm lpm
	kmod/base $common
	kmod/state $common lpm state
	kmod/path $common lpm state path
	kmod/control $common lpm state path control
	user *
	user/bpf *
	user/fuzz *
	user/base base
	user/kernel base kernel
	user/module base kernel module
	user/config base kernel module config
	user/routes base kernel module routes
	user/bgp base bgp
	user/bringup base kernel module config routes bringup
	user/cmd cmd/verbs.h base kernel module config routes bgp bringup
	user/cmd/check cmd/verbs.h cmd/check base kernel module config routes bgp
	END
}
declare -A may
while read -r folder list; do
	may[$folder]=" $list "
done < <(table)

# allowed WHO PATH: PATH, or a folder it's in, is in the list of WHO.
allowed()
{
	local part=$2

	[ "${may[$1]}" != ' * ' ] || return 0
	while [[ ${may[$1]} != *" $part "* ]]; do
		[[ $part == */* ]] || return 1
		part=${part%/*}
	done
}

bad=0
complain() { echo "$*"; bad=1; }

while IFS=: read -r file line name; do
	name=${name#*\"}
	name=${name%%\"*}
	folder=${file%/*}
	tree=${file%%/*}
	who=$file
	[ "${may[$who]-}" ] || who=$folder
	[ "${may[$who]-}" ] || {
		complain "$file: $folder isn't in the table"
		continue
	}
	for at in "$folder" "$tree" "$tree"/{compat,uapi} ''; do
		[ ! -e "$at/$name" ] || break
	done
	# What the build makes isn't there.
	[ "$at" ] || continue
	path=$at/$name
	[[ $path != *..* ]] || path=$(realpath --relative-to=. "$path")
	allowed "$who" "${path#"$tree"/}" ||
		complain "$file:$line: $who may not include $path"
done < <(grep -rnE --include='*.[ch]' '^\s*#\s*include\s*"' kmod user)

# Verbs are for main() to call, and for tests.
while IFS=: read -r file line text; do
	complain "$file:$line: calls a verb:$text"
done < <(grep -rnE --include='*.c' --exclude='test-*' '\<verb_\w+\(' user |
	 grep -vE '^user/main\.c:|:int verb_\w+\(int argc, char \*\*argv\)$')
exit $bad
