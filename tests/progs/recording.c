/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * recording FORMAT FILE CPUS EVENTS [KEYS [LIE]]: writes a recording whose contents are known. FORMAT is
 *
 *     dat6, dat7       trace.dat
 *     dat6-instance    all CPUs but the first in an instance
 *     perf             perf.data with call chains
 *     perf-pipe        the same as perf record -o - writes it
 *     perf-mixed       the same of several kinds of events: each record has the number of its event; samples of another event, and data of an
 *                      AUX area, stand between; every tenth sample says -1 for process and thread; samples come in pairs whose order is wrong
 *
 * Of each CPU come EVENTS events test:step, whose times are a microsecond apart; event i of CPU c has
 *
 *     time    1 s + (i * CPUS + c) us      cpu  c      thread  1000 + (i + c) % 4
 *     number  i                            key  (7 * i + c) % KEYS (50)      size  i * c - 5
 *
 * and in perf.data the stack of the process 0x400000 + 16 * c, 0x500000 + i % 3. The threads belong to process 1000, that is what their
 * parent's task:task_newtask on CPU 0 says before all else. Every 100th event of a CPU is a task:task_rename instead, in which the thread
 * takes the name nI-cC. LIE: dat7 says that the events of CPU 0 have so many bytes when they are unpacked.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE   4096
#define STEP   100 /* numbers of the events */
#define NEWTASK 101
#define RENAME 102

static unsigned n_cpus, n_keys = 50;
static unsigned long lie;
static unsigned long n_events;
static int is_pipe, is_mixed;

/* ---- bytes in the making ---- */

struct bytes {
	unsigned char *at;
	size_t len, cap;
};

static void
put(struct bytes *out, const void *data, size_t len)
{
	if (out->len + len > out->cap) {
		out->cap = 2 * (out->len + len);
		out->at = realloc(out->at, out->cap);
		if (!out->at)
			exit(2);
	}
	memcpy(out->at + out->len, data, len);
	out->len += len;
}

static void
put_uint(struct bytes *out, uint64_t number, size_t size)
{
	put(out, &number, size);
}

static void
put_zeros(struct bytes *out, size_t len)
{
	while (len--)
		put(out, "", 1);
}

static void
put_string(struct bytes *out, const char *s)
{
	put(out, s, strlen(s) + 1);
}

/* ---- events ---- */

static const char *const formats[][2] = {
	{ "test", "name: step\nID: 100\nformat:\n"
		  "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
		  "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
		  "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
		  "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
		  "\tfield:u32 number;\toffset:8;\tsize:4;\tsigned:0;\n"
		  "\tfield:u32 key;\toffset:12;\tsize:4;\tsigned:0;\n"
		  "\tfield:s64 size;\toffset:16;\tsize:8;\tsigned:1;\n\nprint fmt: \"\"\n" },
	{ "task", "name: task_newtask\nID: 101\nformat:\n"
		  "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
		  "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
		  "\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n"
		  "\tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;\n"
		  "\tfield:unsigned long clone_flags;\toffset:32;\tsize:8;\tsigned:0;\n\nprint fmt: \"\"\n" },
	{ "task", "name: task_rename\nID: 102\nformat:\n"
		  "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
		  "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
		  "\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n"
		  "\tfield:char oldcomm[16];\toffset:12;\tsize:16;\tsigned:0;\n"
		  "\tfield:char newcomm[16];\toffset:28;\tsize:16;\tsigned:0;\n\nprint fmt: \"\"\n" },
};

static void
common(struct bytes *out, unsigned id, unsigned tid)
{
	out->len = 0;
	put_uint(out, id, 2);
	put_uint(out, 0, 2);
	put_uint(out, tid, 4);
}

static uint64_t
time_of(unsigned cpu, unsigned long i)
{
	return 1000000000u + (i * n_cpus + cpu) * 1000u;
}

static unsigned
thread_of(unsigned cpu, unsigned long i)
{
	return 1000 + (unsigned)(i + cpu) % 4;
}

static void
make_name(char name[16], unsigned cpu, unsigned long i)
{
	snprintf(name, 16, "n%u-c%u", (unsigned)(i % 10000000), cpu % 1000);
}

/* The record of event i of a CPU. */
static void
make_event(struct bytes *out, unsigned cpu, unsigned long i)
{
	char name[16] = "", old[16] = "first";
	unsigned tid = thread_of(cpu, i);

	if (i % 100 == 99) {
		common(out, RENAME, tid);
		make_name(name, cpu, i);
		put_uint(out, tid, 4);
		put(out, old, sizeof(old));
		put(out, name, sizeof(name));
		return;
	}
	common(out, STEP, tid);
	put_uint(out, i, 4);
	put_uint(out, (7 * i + cpu) % n_keys, 4);
	put_uint(out, i * cpu - 5, 8);
}

/* Thread 1000 makes thread 1000 + k. */
static void
make_thread(struct bytes *out, unsigned k)
{
	char name[16] = "first";

	common(out, NEWTASK, 1000);
	put_uint(out, 1000 + k, 4);
	put(out, name, sizeof(name));
	put_uint(out, 0, 4);
	put_uint(out, k ? 0x10000 : 0, 8); /* CLONE_THREAD */
}

/* ---- what stands before the events, in trace.dat and perf.data ---- */

static void
put_formats(struct bytes *out)
{
	put_uint(out, 3, 4);
	for (unsigned i = 0; i < 3; i++) {
		put_string(out, formats[i][0]);
		put_uint(out, 1, 4);
		put_uint(out, strlen(formats[i][1]), 8);
		put(out, formats[i][1], strlen(formats[i][1]));
	}
}

static const char header_page[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
				  "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
				  "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
				  "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n";

static void
put_page_header(struct bytes *out)
{
	put_string(out, "header_page");
	put_uint(out, strlen(header_page), 8);
	put(out, header_page, strlen(header_page));
	put_string(out, "header_event");
	put_uint(out, 0, 8);
}

static void
put_head(struct bytes *out, const char *version)
{
	put(out, "\x17\x08\x44tracing", 10);
	put_string(out, version);
	put_uint(out, 0, 1); /* little-endian */
	put_uint(out, 8, 1);
	put_uint(out, PAGE, 4);
}

/* Header, formats of ftrace's own events (none), of others, kallsyms, printk, names of threads (none). */
static void
put_parts(struct bytes *out)
{
	put_page_header(out);
	put_uint(out, 0, 4);
	put_formats(out);
	put_uint(out, 0, 4);
	put_uint(out, 0, 4);
	put_uint(out, 0, 8);
}

/* ---- pages of the ring buffer ---- */

struct page {
	struct bytes *out;
	size_t start;
	uint64_t time; /* of the last event */
};

static void
end_page(struct page *page)
{
	uint64_t commit = page->out->len - page->start - 16;

	if (!page->time)
		return;
	memcpy(page->out->at + page->start + 8, &commit, 8);
	put_zeros(page->out, PAGE - (page->out->len - page->start));
}

static void
put_in_page(struct page *page, const struct bytes *event, uint64_t time)
{
	if (!page->time || page->out->len - page->start + 4 + event->len > PAGE) {
		end_page(page);
		page->start = page->out->len;
		page->time = time;
		put_uint(page->out, time, 8);
		put_uint(page->out, 0, 8);
	}
	put_uint(page->out, event->len / 4 | (time - page->time) << 5, 4);
	put(page->out, event->at, event->len);
	page->time = time;
}

static void
put_pages(struct bytes *out, unsigned cpu)
{
	struct page page = { .out = out };
	struct bytes event = { 0 };

	for (unsigned k = 0; cpu == 0 && k < 4; k++) {
		make_thread(&event, k);
		put_in_page(&page, &event, 900000000u + k);
	}
	for (unsigned long i = 0; i < n_events; i++) {
		make_event(&event, cpu, i);
		put_in_page(&page, &event, time_of(cpu, i));
	}
	end_page(&page);
	free(event.at);
}

/* ---- the formats ---- */

static void
set_u64(struct bytes *out, size_t at, uint64_t number)
{
	memcpy(out->at + at, &number, 8);
}

/* The list of CPUs, empty so far; returns where it is. */
static size_t
put_cpus(struct bytes *out)
{
	put(out, "flyrecord", 10);
	put_zeros(out, 16 * n_cpus);
	return out->len - 16 * n_cpus;
}

static void
make_dat6(struct bytes *out, int has_instance)
{
	size_t table, instance = 0, start, at;

	put_head(out, "6");
	put_parts(out);
	put_uint(out, n_cpus, 4);
	put(out, "options  ", 10);
	if (has_instance) {
		put_uint(out, 3, 2);
		put_uint(out, 8 + sizeof("other"), 4);
		instance = out->len;
		put_uint(out, 0, 8);
		put_string(out, "other");
	}
	put_uint(out, 0, 2);
	at = table = put_cpus(out);
	if (has_instance) {
		set_u64(out, instance, out->len);
		at = put_cpus(out);
	}
	for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
		put_zeros(out, (PAGE - out->len % PAGE) % PAGE);
		start = out->len;
		put_pages(out, cpu);
		set_u64(out, (cpu ? at : table) + 16 * cpu, start);
		set_u64(out, (cpu ? at : table) + 16 * cpu + 8, out->len - start);
	}
}

/* A section's head; returns where its size is to be set. */
static size_t
begin_section(struct bytes *out, unsigned id, unsigned flags)
{
	put_uint(out, id, 2);
	put_uint(out, flags, 2);
	put_uint(out, 0, 4);
	put_uint(out, 0, 8);
	return out->len - 8;
}

static void
end_section(struct bytes *out, size_t size_at)
{
	set_u64(out, size_at, out->len - size_at - 8);
}

static void
put_option(struct bytes *out, unsigned id, uint64_t number)
{
	put_uint(out, id, 2);
	put_uint(out, 8, 4);
	put_uint(out, number, 8);
}

/* Each CPU's pages are "packed" by copying, as one chunk. */
static void
make_dat7(struct bytes *out)
{
	size_t options_at, header, events, buffer, section, *at = calloc(n_cpus, sizeof(*at)), *len = calloc(n_cpus, sizeof(*len));
	struct bytes pages = { 0 }, cpus = { 0 };

	put_head(out, "7");
	put_string(out, "none");
	put_string(out, "");
	options_at = out->len;
	put_uint(out, 0, 8);
	header = out->len;
	section = begin_section(out, 16, 0);
	put_page_header(out);
	end_section(out, section);
	events = out->len;
	section = begin_section(out, 18, 0);
	put_formats(out);
	end_section(out, section);
	buffer = out->len;
	section = begin_section(out, 3, 1);
	for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
		pages.len = 0;
		put_pages(&pages, cpu);
		at[cpu] = out->len;
		put_uint(out, 1, 4);
		put_uint(out, pages.len, 4);
		put_uint(out, lie && cpu == 0 ? lie : pages.len, 4);
		put(out, pages.at, pages.len);
		len[cpu] = out->len - at[cpu] - 4;
	}
	end_section(out, section);
	set_u64(out, options_at, out->len);
	section = begin_section(out, 0, 0);
	put_option(out, 16, header);
	put_option(out, 18, events);
	put_uint(&cpus, buffer, 8);
	put_string(&cpus, "");
	put_string(&cpus, "mono");
	put_uint(&cpus, PAGE, 4);
	put_uint(&cpus, n_cpus, 4);
	for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
		put_uint(&cpus, cpu, 4);
		put_uint(&cpus, at[cpu], 8);
		put_uint(&cpus, len[cpu], 8);
	}
	put_uint(out, 3, 2);
	put_uint(out, cpus.len, 4);
	put(out, cpus.at, cpus.len);
	put_option(out, 0, 0);
	end_section(out, section);
}

/* ---- perf.data ---- */

#define SAMPLE_TYPE (2 | 4 | 32 | 128 | 1024) /* TID, TIME, CALLCHAIN, CPU, RAW */
#define OTHER_TYPE  (2 | 4 | 128)
#define IDENTIFIER  (1u << 16)
#define STEP_ID     70 /* of the tracepoint, */
#define OTHER_ID    71 /* and of the other event */

/* PERF_RECORD_SAMPLE with thread, time, CPU, call chain and record. */
static void
put_sample(struct bytes *out, const struct bytes *event, unsigned cpu, unsigned tid, uint64_t time, unsigned long i)
{
	size_t raw = (4 + event->len + 7) / 8 * 8;
	int ends = is_mixed && i % 10 == 9;

	put_uint(out, 9, 4);
	put_uint(out, 0, 2);
	put_uint(out, 8 + (is_mixed ? 8 : 0) + 8 + 8 + 8 + 8 * 4 + raw, 2);
	put_uint(out, STEP_ID, is_mixed ? 8 : 0);
	put_uint(out, ends ? (uint32_t)-1 : 1000, 4);
	put_uint(out, ends ? (uint32_t)-1 : tid, 4);
	put_uint(out, time, 8);
	put_uint(out, cpu, 8);
	put_uint(out, 3, 8);
	put_uint(out, (uint64_t)-512, 8); /* PERF_CONTEXT_USER */
	put_uint(out, 0x400000 + 16 * cpu, 8);
	put_uint(out, 0x500000 + i % 3, 8);
	put_uint(out, raw - 4, 4);
	put(out, event->at, event->len);
	put_zeros(out, raw - 4 - event->len);
}

/* A sample of the other event, and PERF_RECORD_AUXTRACE with 24 bytes behind it, that look like no record. */
static void
put_others(struct bytes *out, unsigned cpu, uint64_t time)
{
	put_uint(out, 9, 4);
	put_uint(out, 0, 2);
	put_uint(out, 8 + 4 * 8, 2);
	put_uint(out, OTHER_ID, 8);
	put_uint(out, 1000, 4);
	put_uint(out, 1000, 4);
	put_uint(out, time, 8);
	put_uint(out, cpu, 8);
	put_uint(out, 71, 4);
	put_uint(out, 0, 2);
	put_uint(out, 48, 2);
	put_uint(out, 24, 8);
	put_zeros(out, 32 + 24);
}

/* PERF_RECORD_COMM, with what sample_id_all adds. */
static void
put_comm(struct bytes *out, unsigned cpu, unsigned tid, uint64_t time, const char *name)
{
	char comm[16] = "";

	snprintf(comm, sizeof(comm), "%s", name);
	put_uint(out, 3, 4);
	put_uint(out, 0, 2);
	put_uint(out, 8 + 8 + 16 + 24 + (is_mixed ? 8 : 0), 2);
	put_uint(out, 1000, 4);
	put_uint(out, tid, 4);
	put(out, comm, sizeof(comm));
	put_uint(out, 1000, 4);
	put_uint(out, tid, 4);
	put_uint(out, time, 8);
	put_uint(out, cpu, 8);
	put_uint(out, OTHER_ID, is_mixed ? 8 : 0);
}

static void
put_event(struct bytes *out, unsigned cpu, unsigned long i)
{
	struct bytes event = { 0 };
	char name[16] = "";

	make_event(&event, cpu, i);
	put_sample(out, &event, cpu, thread_of(cpu, i), time_of(cpu, i), i);
	if (i % 100 == 99) {
		make_name(name, cpu, i);
		put_comm(out, cpu, thread_of(cpu, i), time_of(cpu, i), name);
	}
	if (is_mixed)
		put_others(out, cpu, time_of(cpu, i));
	free(event.at);
}

static void
put_records(struct bytes *out)
{
	for (unsigned k = 0; k < 4; k++)
		put_comm(out, 0, 1000 + k, 900000000u + k, "first");
	for (unsigned long i = 0; i < n_events; i++)
		for (unsigned cpu = 0; cpu < n_cpus; cpu++)
			put_event(out, cpu, is_mixed && (i ^ 1) < n_events ? i ^ 1 : i);
}

static void
put_attribute(struct bytes *out, unsigned type, unsigned config, uint64_t sample_type)
{
	put_uint(out, type, 4);
	put_uint(out, 128, 4);
	put_uint(out, config, 8);
	put_uint(out, 1, 8);
	put_uint(out, sample_type | (is_mixed ? IDENTIFIER : 0), 8);
	put_uint(out, 0, 8);
	put_uint(out, 1u << 18, 8); /* sample_id_all */
	put_zeros(out, 128 - 48);
}

static void
make_perf(struct bytes *out)
{
	unsigned n_attrs = is_mixed ? 2 : 1;
	size_t attrs = 104 + 16, data = attrs + n_attrs * (128 + 16), features;

	put(out, "PERFILE2", 8);
	put_uint(out, 104, 8);
	put_uint(out, 128 + 16, 8);
	put_uint(out, attrs, 8);
	put_uint(out, n_attrs * (128 + 16), 8);
	put_uint(out, data, 8);
	put_zeros(out, 8 + 16);
	put_uint(out, 1u << 1, 8); /* HEADER_TRACING_DATA */
	put_zeros(out, 24);
	put_uint(out, STEP_ID, 8);
	put_uint(out, OTHER_ID, 8);
	put_attribute(out, 2, STEP, SAMPLE_TYPE); /* PERF_TYPE_TRACEPOINT */
	put_uint(out, attrs - 16, 8);
	put_uint(out, 8, 8);
	if (is_mixed) {
		put_attribute(out, 1, 9, OTHER_TYPE); /* PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY */
		put_uint(out, attrs - 8, 8);
		put_uint(out, 8, 8);
	}
	put_records(out);
	set_u64(out, 48, out->len - data);
	features = out->len;
	put_zeros(out, 16);
	set_u64(out, features, out->len);
	put_head(out, "0.6");
	put_parts(out);
	set_u64(out, features + 8, out->len - features - 16);
}

/* Attribute and formats stand among the records; the formats behind theirs, of which they are no part. */
static void
make_perf_pipe(struct bytes *out)
{
	struct bytes parts = { 0 };

	put(out, "PERFILE2", 8);
	put_uint(out, 16, 8);
	put_uint(out, 64, 4); /* PERF_RECORD_HEADER_ATTR */
	put_uint(out, 0, 2);
	put_uint(out, 8 + 128 + 8, 2);
	put_attribute(out, 2, STEP, SAMPLE_TYPE);
	put_uint(out, STEP_ID, 8);
	put_head(&parts, "0.6");
	put_parts(&parts);
	put_zeros(&parts, (8 - parts.len % 8) % 8);
	put_uint(out, 66, 4); /* PERF_RECORD_HEADER_TRACING_DATA */
	put_uint(out, 0, 2);
	put_uint(out, 12, 2);
	put_uint(out, parts.len, 4);
	put(out, parts.at, parts.len);
	put_records(out);
	free(parts.at);
}

int
main(int argc, char **argv)
{
	struct bytes out = { 0 };
	FILE *file;

	if (argc < 5 || !(file = fopen(argv[2], "wb")))
		return 2;
	is_pipe = strcmp(argv[1], "perf-pipe") == 0;
	is_mixed = strcmp(argv[1], "perf-mixed") == 0;
	n_cpus = (unsigned)strtoul(argv[3], NULL, 10);
	n_events = strtoul(argv[4], NULL, 10);
	if (argc > 5)
		n_keys = (unsigned)strtoul(argv[5], NULL, 10);
	if (argc > 6)
		lie = strtoul(argv[6], NULL, 10);
	if (strcmp(argv[1], "dat6") == 0)
		make_dat6(&out, 0);
	else if (strcmp(argv[1], "dat6-instance") == 0)
		make_dat6(&out, 1);
	else if (strcmp(argv[1], "dat7") == 0)
		make_dat7(&out);
	else if (is_pipe)
		make_perf_pipe(&out);
	else
		make_perf(&out);
	return fwrite(out.at, 1, out.len, file) == out.len && fclose(file) == 0 ? 0 : 2;
}
