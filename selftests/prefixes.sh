# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# AS13335's prefixes: the files in $CNI_PREFIX_DATA or ../shared/data when they
# are there, else what Cloudflare publishes as the ranges of its proxies.

prefix_data()
{
	local dir

	for dir in "${CNI_PREFIX_DATA:-}" \
		"$(dirname "${BASH_SOURCE[0]}")/../../shared/data"; do
		if [ -n "$dir" ] && [ -r "$dir/as13335-ipv$1.txt" ]; then
			echo "$dir/as13335-ipv$1.txt"
			return
		fi
	done
}

# prefixes 4|6: one a line
prefixes()
{
	local file

	file=$(prefix_data "$1")
	if [ -n "$file" ]; then
		sed 's/#.*//' "$file" | awk 'NF { print $1 }'
	else
		awk -v six="$1" '/^#/ { next } (six == 6) == /:/' \
			"$(dirname "${BASH_SOURCE[0]}")/cloudflare-ips.txt"
	fi
}
