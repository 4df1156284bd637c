// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/out.h"
#include "base/run.h"

/* Nothing that is asked for prints more. */
#define MOST (64 << 20)

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

static void child(char *const argv[], int fd, int both)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(fd, 1);
	dup2(both ? fd : null, 2);
	execvp(argv[0], argv);
	_exit(127);
}

int run_program(char *const argv[], int timeout_ms, int both, char **out)
{
	int64_t end = now_ms() + timeout_ms, left;
	size_t used = 0, size = 4096;
	struct pollfd p;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	*out = NULL;
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		status = -errno;
		close(fds[0]);
		close(fds[1]);
		return status;
	}
	if (!pid)
		child(argv, fds[1], both);
	close(fds[1]);
	*out = xalloc(size);
	p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	while ((left = end - now_ms()) > 0 && used < MOST) {
		if (poll(&p, 1, left) <= 0)
			continue;
		n = read(fds[0], *out + used, size - used - 1);
		if (n <= 0)
			break;
		used += n;
		if (used == size - 1) {
			size *= 2;
			*out = xrealloc(*out, size);
		}
	}
	(*out)[used] = '\0';
	close(fds[0]);
	if (left <= 0 || used >= MOST)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}
