// SPDX-License-Identifier: GPL-2.0
/* The kernel's settings below /proc/sys. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/sysctl.h"

int sysctl_read(const char *path)
{
	char file[128];
	int n = -1;
	FILE *f;

	snprintf(file, sizeof(file), "/proc/sys/%s", path);
	f = fopen(file, "re");
	if (f && fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

int sysctl_write(const char *path, int n)
{
	char file[128];
	int rc = 0;
	FILE *f;

	snprintf(file, sizeof(file), "/proc/sys/%s", path);
	f = fopen(file, "we");
	if (!f)
		return -errno;
	if (fprintf(f, "%d\n", n) < 0)
		rc = -EIO;
	if (fclose(f))
		rc = -errno;
	return rc;
}

const char *sysctl_name(const char *path)
{
	static char buf[96];
	char *at;

	snprintf(buf, sizeof(buf), "%s", path);
	if (!strchr(buf, '.'))
		for (at = buf; *at; at++)
			if (*at == '/')
				*at = '.';
	return buf;
}
