/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A recording that somebody cuts short while it is read (source/filemap.c): mmap(2) says that reading a page behind the end of the file raises
 * SIGBUS, which would end the process.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "source/recording.h"
#include "source/replay_int.h"

enum { N_EVENTS = 4000, N_THREADS = 4 };

static char path[] = "/tmp/test_recording.XXXXXX";

/* Of one length each, so that it is known which are in front of a cut. */
static const char line[] = "a-1 [000] 1.%06d: t:e: n=%06d\n";
enum { LINE_LEN = sizeof("a-1 [000] 1.000000: t:e: n=000000\n") - 1 };

static int
write_recording(void **state)
{
	FILE *file = fopen(path, "w");

	for (int i = 0; file && i < N_EVENTS; i++)
		fprintf(file, line, i, i);
	return file && fclose(file) == 0 ? 0 : -1;
}

static int
make_path(void **state)
{
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

static int
remove_path(void **state)
{
	return unlink(path);
}

/* Reads the first event, cuts the file to `len` bytes, and counts the events that can be read yet. */
static unsigned
count_after_cut(size_t len, struct source_stats *stats)
{
	struct arena *arena = arena_new();
	struct recording *recording;
	struct text why = { 0 };
	unsigned n = 1;

	assert_int_equal(recording_open(&recording, arena, path, &why), 0);
	recording_rewind(recording);
	assert_non_null(recording_next(recording));
	assert_int_equal(truncate(path, (off_t)len), 0);
	while (recording_next(recording))
		n++;
	recording_stats(recording, stats);
	recording_close(recording);
	arena_free(arena);
	text_fini(&why);
	return n;
}

/* Where somebody cuts it, what stands in front of the cut is read. */
static void
cut_while_read(void **state)
{
	const size_t whole = N_EVENTS * LINE_LEN, lens[] = { LINE_LEN, 10 * LINE_LEN, 3000 * LINE_LEN, whole - LINE_LEN };
	struct source_stats stats;

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		assert_int_equal(write_recording(state), 0);
		assert_int_equal(count_after_cut(lens[i], &stats), lens[i] / LINE_LEN);
		assert_int_equal(stats.n_damaged, 1);
		assert_string_equal(stats.damage, "it was cut short while it was read");
		assert_string_equal(stats.recording, path);
	}
	assert_int_equal(write_recording(state), 0);
	assert_int_equal(count_after_cut(whole, &stats), N_EVENTS);
	assert_int_equal(stats.n_damaged, 0);
}

static void *
add_up(void *arg)
{
	const struct filemap *map = arg;
	uintptr_t sum = 0;

	for (size_t i = 0; i < map->len; i++)
		sum += map->data[i];
	return (void *)sum;
}

static void
map_whole(struct filemap *map)
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_int_equal(filemap_open(map, dup(fileno(file)), N_EVENTS * LINE_LEN), 0);
	fclose(file);
}

/* Several threads meet the cut at once; another file that is mapped meanwhile is not touched. */
static void
threads_meet_a_cut(void **state)
{
	pthread_t threads[N_THREADS];
	struct filemap map, same;
	void *sum;

	map_whole(&same);
	map_whole(&map);
	assert_false(filemap_is_cut(&map));
	assert_int_equal(truncate(path, 0), 0);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(thread_start(&threads[i], add_up, &map), 0);
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &sum), 0);
		assert_ptr_equal(sum, NULL);
	}
	assert_true(filemap_is_cut(&map));
	assert_false(filemap_is_cut(&same));
	filemap_close(&map);
	assert_ptr_equal(add_up(&same), NULL);
	assert_true(filemap_is_cut(&same));
	filemap_close(&same);
}

/* How a process ends that does something while a recording is mapped. */
static int
end_of(void (*fn)(void))
{
	struct filemap map;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGBUS, SIG_DFL); /* a sanitizer has an opinion */
		map_whole(&map);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
read_another_cut_file(void)
{
	FILE *file = tmpfile();
	const volatile char *data = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fileno(file), 0);

	(void)*data;
}

static void
send_one(void)
{
	kill(getpid(), SIGBUS);
}

static void
nothing(void)
{
}

/* Any other SIGBUS does what it does without us. */
static void
other_faults(void **state)
{
	assert_int_equal(end_of(read_another_cut_file), SIGBUS);
	assert_int_equal(end_of(send_one), SIGBUS);
	assert_int_equal(end_of(nothing), 0);
}

/* When nothing is mapped any more, the action is that of before. */
static void
action_comes_back(void **state)
{
	struct sigaction before, now;
	struct filemap map;

	sigaction(SIGBUS, NULL, &before);
	map_whole(&map);
	sigaction(SIGBUS, NULL, &now);
	assert_ptr_not_equal(now.sa_sigaction, before.sa_sigaction);
	filemap_close(&map);
	sigaction(SIGBUS, NULL, &now);
	assert_ptr_equal(now.sa_sigaction, before.sa_sigaction);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_while_read),
		cmocka_unit_test_setup(threads_meet_a_cut, write_recording),
		cmocka_unit_test_setup(other_faults, write_recording),
		cmocka_unit_test_setup(action_comes_back, write_recording),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
