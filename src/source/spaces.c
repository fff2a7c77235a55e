/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Address spaces of processes: which file's code was where. Told by a source while the processes live (kernel_spaces.c from the
 * kernel's records of each mmap, fork and execve; ptrace_stack.c from /proc when a stack is taken), asked when stacks are printed,
 * often long after the processes have gone.
 *
 * A space only grows. An execve puts a new one before the old one, a fork puts an empty one before what the parent had at that
 * moment:
 *
 *     pid 7:  [libc prog-B]  ->  [ld.so libc sh] up to the 2nd  (its parent's)  ->  ...
 *
 * An address is looked for in the newest mapping first, so that a stack taken before an execve is still found, where the new
 * program has nothing at that address. A file is opened when it is first seen, so that it can be read when its name has gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/source.h"

#define BUCKETS      4096     /* a power of two */
#define ENDED_MAX    (1u << 16) /* processes that have ended and are remembered */
#define FILES_OPEN_MAX 256    /* more are opened by name when they are asked for */

struct mapping {
	uint64_t start, end, offset;
	const struct mapped_file *file;
};

struct space {
	struct space *next;   /* of the same bucket */
	uint32_t pid;
	unsigned n_users;     /* the bucket, the queue of the ended, and spaces that this one is before */
	bool ended;
	struct mapping *mappings;
	uint32_t n, cap;
	struct space *before; /* NULL: none; its first n_before mappings count */
	uint32_t n_before;
};

struct file_node {
	struct file_node *next; /* of the same bucket */
	struct mapped_file file;
	char path[];
};

struct spaces {
	struct space *by_pid[BUCKETS];
	struct file_node *files[BUCKETS];
	uint32_t n_open;
	struct space **ended; /* ring of ENDED_MAX, oldest at first_ended */
	uint32_t first_ended, n_ended;
};

struct spaces *
spaces_new(void)
{
	struct spaces *spaces = mem_alloc(sizeof(*spaces));

	if (spaces)
		spaces->ended = mem_alloc(ENDED_MAX * sizeof(struct space *));
	if (spaces && !spaces->ended) {
		free(spaces);
		return NULL;
	}
	return spaces;
}

/* ---- spaces ------------------------------------------------------------------------------------ */

/* Frees it, and those before it, where nobody else uses them. */
static void
release(struct space *space)
{
	while (space && --space->n_users == 0) {
		struct space *before = space->before;

		free(space->mappings);
		free(space);
		space = before;
	}
}

static struct space **
place_of(struct spaces *spaces, uint32_t pid)
{
	struct space **at = &spaces->by_pid[pid % BUCKETS];

	while (*at && (*at)->pid != pid)
		at = &(*at)->next;
	return at;
}

/* A new space of this process in front of another's first n mappings. The process's own old space, if any, is let go. */
static struct space *
put_before(struct spaces *spaces, uint32_t pid, struct space *before, uint32_t n)
{
	struct space *space = mem_alloc(sizeof(*space)), **at = place_of(spaces, pid), *old = *at;

	if (!space)
		return NULL; /* names will be missing */
	*space = (struct space){ .pid = pid, .n_users = 1, .before = before, .n_before = n };
	if (before)
		before->n_users++;
	space->next = old ? old->next : NULL;
	*at = space;
	release(old);
	return space;
}

static struct space *
get(struct spaces *spaces, uint32_t pid)
{
	struct space *space = *place_of(spaces, pid);

	return space ? space : put_before(spaces, pid, NULL, 0);
}

bool
spaces_know(struct spaces *spaces, uint32_t pid)
{
	return *place_of(spaces, pid) != NULL;
}

void
spaces_exec(struct spaces *spaces, uint32_t pid)
{
	struct space *old = *place_of(spaces, pid);

	put_before(spaces, pid, old, old ? old->n : 0);
}

void
spaces_fork(struct spaces *spaces, uint32_t pid, uint32_t parent)
{
	struct space *from = *place_of(spaces, parent);

	put_before(spaces, pid, from, from ? from->n : 0);
}

/* The oldest of too many ended ones is forgotten, unless its process id is in use again. */
static void
forget_oldest(struct spaces *spaces)
{
	struct space *oldest = spaces->ended[spaces->first_ended], **at = place_of(spaces, oldest->pid);

	if (*at == oldest) {
		*at = oldest->next;
		release(oldest);
	}
	release(oldest);
	spaces->first_ended = (spaces->first_ended + 1) % ENDED_MAX;
	spaces->n_ended--;
}

void
spaces_exit(struct spaces *spaces, uint32_t pid)
{
	struct space *space = *place_of(spaces, pid);

	if (!space || space->ended)
		return;
	if (spaces->n_ended == ENDED_MAX)
		forget_oldest(spaces);
	space->ended = true;
	space->n_users++;
	spaces->ended[(spaces->first_ended + spaces->n_ended++) % ENDED_MAX] = space;
}

/* ---- files ------------------------------------------------------------------------------------- */

/* As the process sees it, in its own mount namespace, where it still lives; else as we do. */
int
mapped_file_open(const struct mapped_file *file)
{
	char path[4096 + 32];
	int fd;

	if (file->path[0] != '/' || file->path[1] == '/')
		return -ENOENT; /* "[vdso]", "//anon" */
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root%s", file->pid, file->path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static const struct mapped_file *
file_get(struct spaces *spaces, uint32_t pid, const struct mapping_seen *seen)
{
	struct file_node **bucket = &spaces->files[text_hash(seen->path, strlen(seen->path)) % BUCKETS], *node;
	size_t len = strlen(seen->path);

	for (node = *bucket; node; node = node->next)
		if (strcmp(node->path, seen->path) == 0 && memcmp(&node->file.identity, &seen->identity, sizeof(seen->identity)) == 0)
			return &node->file;
	node = mem_alloc(sizeof(*node) + len + 1);
	if (!node)
		return NULL;
	memcpy(node->path, seen->path, len + 1);
	node->file = (struct mapped_file){ .path = node->path, .pid = pid, .fd = -1, .identity = seen->identity };
	if (spaces->n_open < FILES_OPEN_MAX) {
		node->file.fd = mapped_file_open(&node->file);
		spaces->n_open += node->file.fd >= 0;
	}
	node->next = *bucket;
	*bucket = node;
	return &node->file;
}

/* ---- mappings ---------------------------------------------------------------------------------- */

/* The newest of the first n mappings that holds the address. */
static const struct mapping *
search(const struct space *space, uint32_t n, uint64_t addr)
{
	while (n-- > 0)
		if (addr >= space->mappings[n].start && addr < space->mappings[n].end)
			return &space->mappings[n];
	return NULL;
}

/* Does the space know exactly this one, and nothing newer over its beginning? */
static bool
is_known(const struct space *space, const struct mapping *mapping)
{
	const struct mapping *known = search(space, space->n, mapping->start);

	return known && known->start == mapping->start && known->end == mapping->end && known->offset == mapping->offset &&
	       known->file == mapping->file;
}

void
spaces_map(struct spaces *spaces, uint32_t pid, const struct mapping_seen *seen)
{
	const struct mapping mapping = { seen->start, seen->start + seen->len, seen->offset, file_get(spaces, pid, seen) };
	struct space *space = get(spaces, pid);
	struct mapping *mappings;

	if (!space || !mapping.file || is_known(space, &mapping))
		return;
	mappings = mem_grow(space->mappings, space->n, &space->cap, sizeof(*mappings));
	if (!mappings)
		return;
	space->mappings = mappings;
	mappings[space->n++] = mapping;
}

/* A file that was removed is still the same one. */
static void
strip_deleted(char *path)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(path);

	if (len >= sizeof(mark) && strcmp(path + len - (sizeof(mark) - 1), mark) == 0)
		path[len - (sizeof(mark) - 1)] = 0;
}

/* "START-END rwxp OFFSET MAJOR:MINOR INODE    PATH" (proc(5)). False: no code, or not understood. */
static bool
parse_map(char *line, struct mapping_seen *seen)
{
	uint64_t end;
	unsigned major, minor;
	char permissions[5];
	int path = 0;

	*seen = (struct mapping_seen){ 0 };
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &seen->start, &end, permissions,
		   &seen->offset, &major, &minor, &seen->identity.inode, &path) < 7 || permissions[2] != 'x' || end < seen->start)
		return false;
	line[strcspn(line, "\n")] = 0;
	strip_deleted(line + path);
	seen->len = end - seen->start;
	seen->identity.device = (uint64_t)major << 32 | minor;
	seen->path = line[path] ? line + path : "//anon";
	return true;
}

int
spaces_read(struct spaces *spaces, uint32_t pid)
{
	struct mapping_seen seen;
	char path[64], *line = NULL;
	size_t cap = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return -errno;
	while (getline(&line, &cap, maps) > 0)
		if (parse_map(line, &seen))
			spaces_map(spaces, pid, &seen);
	free(line);
	fclose(maps);
	return 0;
}

bool
spaces_find(struct spaces *spaces, uint32_t pid, uint64_t addr, struct place *place)
{
	const struct space *space = *place_of(spaces, pid);
	uint32_t n = space ? space->n : 0;
	const struct mapping *found = NULL;

	while (space && !(found = search(space, n, addr))) {
		n = space->n_before;
		space = space->before;
	}
	if (!found)
		return false;
	*place = (struct place){ found->file, addr - found->start + found->offset };
	return true;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void
free_bucket(struct spaces *spaces, uint32_t i)
{
	struct space *space, *next;
	struct file_node *file;

	for (space = spaces->by_pid[i]; space; space = next) {
		next = space->next;
		release(space);
	}
	while ((file = spaces->files[i])) {
		spaces->files[i] = file->next;
		if (file->file.fd >= 0)
			close(file->file.fd);
		free(file);
	}
}

void
spaces_free(struct spaces *spaces)
{
	if (!spaces)
		return;
	while (spaces->n_ended)
		forget_oldest(spaces);
	for (uint32_t i = 0; i < BUCKETS; i++)
		free_bucket(spaces, i);
	free(spaces->ended);
	free(spaces);
}
