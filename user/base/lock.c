// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/netns.h"
#include "base/out.h"
#include "base/signals.h"

/* A folder that others could write to would let them in, too. */
static int open_dir(void)
{
	struct stat st;
	int fd;

	if (mkdir(RUN_DIR, 0755) && errno != EEXIST)
		return -errno;
	fd = open(RUN_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || st.st_uid || st.st_mode & (S_IWGRP | S_IWOTH)) {
		close(fd);
		return -ENOTUNIQ;
	}
	return fd;
}

static int open_lock(const char *name)
{
	int dir = open_dir(), fd, rc;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : fd;
	close(dir);
	return rc;
}

/* For those who wait to know whom for. */
static void sign(int fd)
{
	if (!ftruncate(fd, 0))
		dprintf(fd, "%d\n", (int)getpid());
}

static int holder(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return 0;
	return atoi(text);
}

int lock_changes_now(void)
{
	int fd = open_lock("lock"), rc;

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		rc = errno == EWOULDBLOCK ? -EAGAIN : -errno;
		close(fd);
		return rc;
	}
	sign(fd);
	return fd;
}

static int wait_turn(void)
{
	int fd = open_lock("lock"), rc, pid;

	if (fd < 0)
		return fd;
	pid = holder(fd);
	if (pid)
		err("another cnictl (process %d) is at work: waiting for it",
		    pid);
	else
		err("another cnictl is at work: waiting for it");
	while (flock(fd, LOCK_EX)) {
		rc = -errno;
		if (rc == -EINTR && !signals_caught)
			continue;
		close(fd);
		return rc;
	}
	sign(fd);
	return fd;
}

int lock_changes(int *fd)
{
	int rc = lock_changes_now();

	if (rc == -EAGAIN)
		rc = wait_turn();
	*fd = rc < 0 ? -1 : rc;
	if (rc >= 0)
		return 0;
	if (rc == -EINTR) {
		err("interrupted");
	} else if (rc == -ENOTUNIQ) {
		err(RUN_DIR " isn't a folder that only root can write to: whoever made it could be in the way");
		hint("remove it: rm -r " RUN_DIR);
	} else if (rc == -EACCES || rc == -EPERM) {
		err("can't take the lock " RUN_DIR "/lock: %s", strerror(-rc));
		hint("that takes root");
	} else {
		err("can't take the lock " RUN_DIR "/lock (%s): run no other cnictl meanwhile",
		    strerror(-rc));
		return 0;
	}
	return rc;
}

void lock_end(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void sync_name(char *buf, size_t size, int fd)
{
	snprintf(buf, size, "sync-%" PRIu64 ".lock", netns_cookie(fd));
}

/*
 * A lock of the open file, other than flock()'s, can be asked about without
 * taking it: who looks doesn't keep anybody from starting.
 */
int lock_sync(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char name[48];
	int rc;

	sync_name(name, sizeof(name), fd);
	fd = open_lock(name);
	if (fd < 0)
		return fd;
	if (!fcntl(fd, F_OFD_SETLK, &l))
		return fd;
	rc = errno == EACCES ? -EAGAIN : -errno;
	close(fd);
	return rc;
}

/* For those who may not open it: the kernel's own list. */
static bool is_listed(const struct stat *st)
{
	char line[256], want[64];
	bool found = false;
	FILE *f;

	snprintf(want, sizeof(want), " %02x:%02x:%llu 0 EOF",
		 major(st->st_dev), minor(st->st_dev),
		 (unsigned long long)st->st_ino);
	f = fopen("/proc/locks", "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "OFDLCK") && !strstr(line, "->") &&
			strstr(line, want);
	if (f)
		fclose(f);
	return found;
}

static bool is_held(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char name[48], path[80];
	struct stat st;
	bool held;

	sync_name(name, sizeof(name), fd);
	snprintf(path, sizeof(path), RUN_DIR "/%s", name);
	/* Not another's, who would have had to make the folder. */
	if (lstat(path, &st) || st.st_uid || !S_ISREG(st.st_mode))
		return false;
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return is_listed(&st);
	held = !fcntl(fd, F_OFD_GETLK, &l) && l.l_type != F_UNLCK;
	close(fd);
	return held;
}

bool lock_sync_runs(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool runs;

	if (fd < 0)
		return false;
	runs = is_held(fd);
	close(fd);
	return runs;
}
