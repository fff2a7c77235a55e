/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Which file a probe's `libc` means: a library as the dynamic loader finds it (ld.so(8): the cache that ldconfig
 * writes, then the standard folders), else a program in $PATH. A name with a slash is a path.
 *
 * The cache: a header, then entries of 24 bytes, whose key (the library's name) and value (its path) are offsets of
 * texts from the header's start. An older format may stand in front of it.
 *
 *     0 "glibc-ld.so.cache1.1"   20 number of entries   24 bytes of texts   28 20 bytes more   48 entries
 *     entry: 0 flags   4 key   8 value   12 OS version   16 hardware
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/event_int.h"

#define CACHE_PATH     "/etc/ld.so.cache"
#define CACHE_MAX      (16u << 20)
#define CACHE_MAGIC    "glibc-ld.so.cache1.1"
#define CACHE_HEADER   48
#define CACHE_ENTRY    24
#define CACHE_ARCH_64  0x0300 /* FLAG_X8664_LIB64, elf/ldconfig.h of glibc: other entries are for other ABIs */
#define CACHE_ARCH     0xff00

static const char *const library_folders[] = {
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
};

/* Is this file what the script calls `name`: "libc.so.6" for libc, libc.so and libc.so.6? */
static bool
is_called(const char *file, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(file, name, len) != 0)
		return false;
	if (file[len] == 0)
		return true;
	return strstr(name, ".so") ? file[len] == '.' : strncmp(file + len, ".so", 3) == 0 &&
							 (file[len + 3] == 0 || file[len + 3] == '.');
}

static uint32_t
number_at(const char *at)
{
	uint32_t number;

	memcpy(&number, at, sizeof(number));
	return number;
}

/* A text of the cache, or NULL where the offset leads out of it. */
static const char *
cache_text(const char *cache, size_t len, uint32_t offset)
{
	return offset < len && memchr(cache + offset, 0, len - offset) ? cache + offset : NULL;
}

static const char *
find_in_cache(const char *cache, size_t len, const char *name)
{
	const char *entry, *key, *path;
	uint32_t i, n = len < CACHE_HEADER ? 0 : number_at(cache + 20);

	for (i = 0; i < n && CACHE_HEADER + (uint64_t)(i + 1) * CACHE_ENTRY <= len; i++) {
		entry = cache + CACHE_HEADER + (size_t)i * CACHE_ENTRY;
		if ((number_at(entry) & CACHE_ARCH) != CACHE_ARCH_64)
			continue;
		key = cache_text(cache, len, number_at(entry + 4));
		path = cache_text(cache, len, number_at(entry + 8));
		if (key && path && is_called(key, name) && access(path, R_OK) == 0)
			return path;
	}
	return NULL;
}

static const char *
search_cache(struct arena *arena, const char *name)
{
	int fd = open(CACHE_PATH, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const char *found = NULL;
	char *cache, *start;
	ssize_t len;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size < CACHE_MAX) {
		cache = arena_alloc(arena, (size_t)st.st_size);
		len = read(fd, cache, (size_t)st.st_size);
		start = len > 0 ? memmem(cache, (size_t)len, CACHE_MAGIC, strlen(CACHE_MAGIC)) : NULL;
		found = start ? find_in_cache(start, (size_t)(len - (start - cache)), name) : NULL;
	}
	close(fd);
	return found;
}

static const char *
search_folders(struct arena *arena, const char *name)
{
	const char *found = NULL, *file;
	char *pattern;
	glob_t files;
	size_t i, j;

	if (name_is_glob(name))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(library_folders) && !found; i++) {
		pattern = arena_printf(arena, "%s/%s*", library_folders[i], name);
		if (glob(pattern, GLOB_NOSORT, NULL, &files) != 0)
			continue;
		for (j = 0; j < files.gl_pathc && !found; j++) {
			file = files.gl_pathv[j];
			if (strstr(file, ".so") && is_called(strrchr(file, '/') + 1, name))
				found = arena_strdup(arena, file);
		}
		globfree(&files);
	}
	return found;
}

static const char *
search_path(struct arena *arena, const char *name)
{
	const char *folder, *end, *variable = getenv("PATH");
	char *path;

	for (folder = variable ? variable : "/usr/bin:/bin"; *folder; folder = *end ? end + 1 : end) {
		end = strchrnul(folder, ':');
		path = arena_printf(arena, "%.*s/%s", (int)(end - folder), folder, name);
		if (end > folder && access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

const char *
find_binary(struct arena *arena, const char *name, struct text *why)
{
	const char *found = name;
	char *real, *copy;

	if (!strchr(name, '/')) {
		found = search_cache(arena, name);
		found = found ? found : search_folders(arena, name);
		found = found ? found : search_path(arena, name);
	}
	if (!found) {
		text_printf(why, "there is no library and no program '%s' where the loader and the shell look", name);
		return NULL;
	}
	real = realpath(found, NULL);
	if (!real) {
		text_printf(why, "'%s' cannot be read: %s", found, strerror(errno));
		return NULL;
	}
	copy = arena_strdup(arena, real);
	free(real);
	return copy;
}
