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
	elif [ "$1" = 4 ]; then
		printf '%s\n' 173.245.48.0/20 103.21.244.0/22 103.22.200.0/22 \
			103.31.4.0/22 141.101.64.0/18 108.162.192.0/18 \
			190.93.240.0/20 188.114.96.0/20 197.234.240.0/22 \
			198.41.128.0/17 162.158.0.0/15 104.16.0.0/13 \
			104.24.0.0/14 172.64.0.0/13 131.0.72.0/22 1.1.1.0/24
	else
		printf '%s\n' 2400:cb00::/32 2606:4700::/32 2803:f800::/32 \
			2405:b500::/32 2405:8100::/32 2a06:98c0::/29 \
			2c0f:f248::/32
	fi
}
