/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The kernel's tracefs: which events there are and how their records are laid out.
 *
 * Relies on a mounted tracefs, or on the privilege to make a mount of our own (CAP_SYS_ADMIN): a detached
 * one, which hangs nowhere in the tree, is seen by no other process and ends with its descriptor. Promises
 * to change nothing in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "event/event.h"

#define FILE_MAX (1u << 30) /* bytes that are read of one */

/*
 * Opens a directory if a tracefs is mounted there. A bare /sys/kernel/tracing is an empty directory of
 * sysfs.
 */
static int
open_mounted(const char *path)
{
	struct statfs fs;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) == 0 && fs.f_type == TRACEFS_MAGIC)
		return fd;
	close(fd);
	return -ENOENT;
}

/* fsopen(2), fsconfig(2), fsmount(2): a tracefs that only this descriptor leads to. */
static int
mount_detached(void)
{
	int mount, fs = fsopen("tracefs", FSOPEN_CLOEXEC);

	if (fs < 0)
		return -errno;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		mount = -errno;
	else if ((mount = fsmount(fs, FSMOUNT_CLOEXEC,
				  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)) < 0)
		mount = -errno;
	close(fs);
	return mount;
}

static int
open_tracefs(void)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	int fd, err = -ENOENT;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		fd = open_mounted(places[i]);
		if (fd >= 0)
			return fd;
		if (fd == -EACCES || fd == -EPERM)
			err = fd; /* mounted but closed to us: says more than "not mounted" */
	}
	fd = mount_detached();
	/*
	 * A failed mount of our own says what is missing (privilege), unless there is one that we may not
	 * read.
	 */
	return fd >= 0 || err == -ENOENT ? fd : err;
}

int
tracefs_dir(void)
{
	static int dir = -EAGAIN; /* the one descriptor, kept for the life of the process (event.h) */

	if (dir == -EAGAIN)
		dir = open_tracefs();
	return dir;
}

char *
tracefs_read(const char *path, size_t *len)
{
	int err, fd, dir = tracefs_dir();
	size_t unasked;
	char *s;

	if (dir < 0) {
		errno = -dir;
		return NULL;
	}
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	s = file_rest(fd, FILE_MAX, len ? len : &unasked);
	err = errno;
	close(fd);
	errno = err;
	return s;
}

bool
kernel_is_locked_down(void)
{
	char modes[64] = "";
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	bool locked = file && fgets(modes, sizeof(modes), file) && strstr(modes, "[confidentiality]");

	if (file)
		fclose(file);
	return locked;
}
