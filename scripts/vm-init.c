// SPDX-License-Identifier: GPL-2.0
/*
 * First process of the VM that scripts/vm starts. Mounts the host's file system (9p, read-only) under an overlay, so
 * that programs may write anywhere and nothing of it reaches the host, runs one command there and hands its output
 * and status to the host over virtio-serial ports.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAXARGS 4096

static char *args[MAXARGS + 1], *env[MAXARGS + 1];
static char *cwd = "/", *vmtmp, *modules, *release, *hide_tmp;
static int nargs, nenv, status_fd = -1;

static void die(const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n;

	n = snprintf(buf, sizeof(buf), "vm-init: ");
	va_start(ap, fmt);
	n += vsnprintf(buf + n, sizeof(buf) - n, fmt, ap);
	va_end(ap);
	n += snprintf(buf + n, n < (int)sizeof(buf) ? sizeof(buf) - n : 0, ": %s\n", strerror(errno));
	if (n > (int)sizeof(buf))
		n = sizeof(buf);
	/* scripts/vm looks for "vm-init:" in the console log when no status came */
	if (write(2, buf, n) < 0 || status_fd < 0)
		;
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void mkdirs(const char *path)
{
	char *s = strdup(path), *p;

	for (p = s + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		mkdir(s, 0755);
		*p = '/';
	}
	mkdir(s, 0755);
	free(s);
}

static void mnt(const char *what, const char *where, const char *type, unsigned long flags, const char *data)
{
	mkdirs(where);
	if (mount(what, where, type, flags, data))
		die("mount %s on %s", type ? type : what, where);
}

/* Where a kernel lacks one of these, the command finds out by itself. */
static void mnt_opt(const char *where, const char *type, const char *data)
{
	if (access(where, F_OK) == 0)
		mount(type, where, type, 0, data);
}

static char *slurp(const char *path, size_t *len)
{
	char *buf = NULL;
	size_t n = 0;
	ssize_t r;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("open %s", path);
	do {
		buf = realloc(buf, n + 65537);
		if (!buf)
			die("memory");
		r = read(fd, buf + n, 65536);
		if (r < 0)
			die("read %s", path);
		n += r;
	} while (r);
	close(fd);
	buf[n] = 0;
	if (len)
		*len = n;
	return buf;
}

static void put(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, s, strlen(s)) < 0)
		;
	close(fd);
}

static void load_modules(void)
{
	char *list = slurp("/modules.list", NULL), *name, *save = NULL;

	for (name = strtok_r(list, "\n", &save); name; name = strtok_r(NULL, "\n", &save)) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			die("open %s", name);
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
			die("load %s", name);
		close(fd);
	}
}

/* The job: NUL-terminated records, a letter and a value each. */
static void read_job(const char *path)
{
	size_t len, i;
	char *job = slurp(path, &len);

	for (i = 0; i < len; i += strlen(job + i) + 1) {
		char *v = job + i + 1;

		switch (job[i]) {
		case 'a':
			if (nargs < MAXARGS)
				args[nargs++] = v;
			break;
		case 'e':
			if (nenv < MAXARGS)
				env[nenv++] = v;
			break;
		case 'c':
			cwd = v;
			break;
		case 't':
			vmtmp = v;
			break;
		case 'm':
			modules = v;
			break;
		case 'r':
			release = v;
			break;
		case 'h':
			hide_tmp = v;
			break;
		}
	}
}

static int port(int nr)
{
	const struct timespec tick = { .tv_nsec = 2000000 };
	char pattern[32];
	int fd = -1, i;
	glob_t g;

	/* Ports are announced by messages of their own, a moment after the device. */
	snprintf(pattern, sizeof(pattern), "/dev/vport*p%d", nr);
	for (i = 0; i < 5000; i++) {
		if (!glob(pattern, 0, NULL, &g)) {
			fd = open(g.gl_pathv[0], O_WRONLY | O_CLOEXEC);
			globfree(&g);
			if (fd >= 0)
				return fd;
		}
		nanosleep(&tick, NULL);
	}
	die("open %s", pattern);
	return -1;
}

/* False at end of file, or where nothing is to be had right now. */
static int relay(int from, int to)
{
	static char buf[65536];
	ssize_t n, w, o;

	n = read(from, buf, sizeof(buf));
	if (n <= 0)
		return 0;
	for (o = 0; o < n; o += w) {
		w = write(to, buf + o, n - o);
		if (w <= 0)
			return 0;
	}
	return 1;
}

static void sigchld(int sig)
{
	(void)sig;
}

static int run(int out, int err)
{
	sigset_t chld, none;
	int o[2], e[2], st, status = 0, alive = 1;
	struct pollfd p[2];
	pid_t child, pid;

	/* Pipes, since a port can be opened only once and scripts like to open /dev/stderr. */
	if (pipe2(o, O_CLOEXEC) || pipe2(e, O_CLOEXEC))
		die("pipe");
	signal(SIGCHLD, sigchld);
	sigemptyset(&none);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);

	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		signal(SIGCHLD, SIG_DFL);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(o[1], 1);
		dup2(e[1], 2);
		if (chdir(cwd)) {
			dprintf(2, "vm: %s: %s\n", cwd, strerror(errno));
			_exit(127);
		}
		environ = env;
		execvp(args[0], args);
		dprintf(2, "vm: %s: %s\n", args[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	close(o[1]);
	close(e[1]);
	fcntl(o[0], F_SETFL, O_NONBLOCK);
	fcntl(e[0], F_SETFL, O_NONBLOCK);

	p[0] = (struct pollfd){ .fd = o[0], .events = POLLIN };
	p[1] = (struct pollfd){ .fd = e[0], .events = POLLIN };
	while (alive) {
		ppoll(p, 2, NULL, &none);
		while ((pid = waitpid(-1, &st, WNOHANG)) > 0) {
			if (pid == child) {
				alive = 0;
				status = st;
			}
		}
		if (p[0].revents && !relay(o[0], out) && (p[0].revents & POLLHUP))
			p[0].fd = -1;
		if (p[1].revents && !relay(e[0], err) && (p[1].revents & POLLHUP))
			p[1].fd = -1;
		p[0].revents = p[1].revents = 0;
	}
	/* Stray children may hold the pipes open for ever: take what is there. */
	while (relay(o[0], out))
		;
	while (relay(e[0], err))
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* A debug kernel knows memory that nobody can reach any more. It takes two looks, as the first may have been early. */
static void leaks(void)
{
	const char *file = "/sys/kernel/debug/kmemleak";
	int fd;

	if (access(file, W_OK))
		return;
	/* What is younger doesn't count. */
	sleep(5);
	put(file, "scan");
	put(file, "scan");
	fd = open(file, O_RDONLY | O_CLOEXEC);
	while (relay(fd, 2))
		;
	close(fd);
}

static void lo_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s >= 0) {
		ioctl(s, SIOCSIFFLAGS, &ifr);
		close(s);
	}
}

int main(void)
{
	const char *p9 = "trans=virtio,version=9p2000.L,msize=262144,access=any,cache=";
	char opt[128], path[4096], job[4096], *cmdline, *s;
	int out, err, fd, status;

	mnt("proc", "/proc", "proc", 0, NULL);
	mnt("dev", "/dev", "devtmpfs", 0, "mode=755");
	fd = open("/dev/console", O_RDWR);
	if (fd >= 0) {
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
	}
	load_modules();

	cmdline = slurp("/proc/cmdline", NULL);
	s = strstr(cmdline, "vm.job=");
	if (!s)
		die("no vm.job= on the command line");
	snprintf(job, sizeof(job), "/host%.*s", (int)strcspn(s + 7, " \n"), s + 7);

	snprintf(opt, sizeof(opt), "%sloose", p9);
	mnt("root", "/host", "9p", MS_RDONLY, opt);
	read_job(job);
	if (!nargs)
		die("no command");
	mnt("rw", "/rw", "tmpfs", 0, "size=75%,mode=755");
	mkdirs("/rw/up");
	mkdirs("/rw/work");
	mnt("root", "/new", "overlay", 0, "lowerdir=/host,upperdir=/rw/up,workdir=/rw/work");

	if (modules && release) {
		snprintf(path, sizeof(path), "/new/lib/modules/%s", release);
		snprintf(job, sizeof(job), "/host%s", modules);
		mkdir("/new/lib/modules", 0755);
		mnt(job, path, NULL, MS_BIND, NULL);
	}
	mnt("proc", "/new/proc", "proc", 0, NULL);
	mnt("sys", "/new/sys", "sysfs", 0, NULL);
	mnt("run", "/new/run", "tmpfs", 0, "mode=755");
	mkdir("/new/run/lock", 01777);
	chmod("/new/run/lock", 01777);
	if (hide_tmp)
		mnt("tmp", "/new/tmp", "tmpfs", 0, "mode=1777");
	if (mount("/dev", "/new/dev", NULL, MS_MOVE, NULL))
		die("move /dev");
	mnt("pts", "/new/dev/pts", "devpts", 0, "mode=620,ptmxmode=666");
	mnt("shm", "/new/dev/shm", "tmpfs", 0, "mode=1777");
	if (chdir("/new") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		die("switch root");
	if (symlink("/proc/self/fd", "/dev/fd") || symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") || symlink("/proc/self/fd/2", "/dev/stderr"))
		;
	mnt_opt("/sys/fs/cgroup", "cgroup2", NULL);
	mnt_opt("/sys/fs/bpf", "bpf", "mode=700");
	mnt_opt("/sys/kernel/debug", "debugfs", NULL);
	mnt_opt("/sys/kernel/tracing", "tracefs", NULL);
	/* Each write goes to the host at once: what a crashing guest wrote is what one wants to see. */
	if (vmtmp) {
		snprintf(opt, sizeof(opt), "%smmap", p9);
		mnt("tmp", vmtmp, "9p", 0, opt);
	}

	/* ip netns wants to change how mounts propagate; /var/run is a link to /run. */
	mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL);
	sethostname("vm", 2);
	put("/proc/sys/kernel/printk", strstr(cmdline, "vm.quiet") ? "5" : "7");
	lo_up();
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 65536, 524288 });

	out = port(1);
	err = port(2);
	status_fd = port(3);
	/* The host takes the time to here, to show what booting costs. */
	dprintf(status_fd, "up\n");
	status = run(out, err);
	leaks();
	sync();
	if (vmtmp)
		umount2(vmtmp, MNT_DETACH);
	dprintf(status_fd, "exit %d\n", status);
	reboot(RB_AUTOBOOT);
	return 0;
}
