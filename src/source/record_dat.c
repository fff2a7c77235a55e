/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Writes trace.dat, version 6 (trace-cmd.dat.v6(5); recording_dat.c reads it). The events of a CPU must stand together, so each CPU has a
 * file of its own while recording, which has no name and ends with us; at the end they are copied behind what stands before them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "source/record.h"
#include "source/recording_dat.h"

struct dat_writer {
	const char *path;
	int fd;
	uint32_t n_cpus, page_size;
	int *cpu_fds;
	uint64_t *cpu_lens;
};

/* ---- contents ------------------------------------------------------------------------------------------------ */

static void
put_uint(struct text *out, uint64_t number, size_t size)
{
	text_add(out, (const char *)&number, size);
}

static void
put_format(struct text *out, const char *format, size_t len)
{
	put_uint(out, len, 8);
	text_add(out, format, len);
}

int
dat_add_format(struct dat_contents *contents, const char *system, const char *format, size_t len)
{
	struct dat_system *more;
	uint32_t i = 0;

	if (strcmp(system, "ftrace") == 0) {
		put_format(&contents->ftrace_formats, format, len);
		contents->n_ftrace_formats++;
		return 0;
	}
	while (i < contents->n_systems && strcmp(contents->systems[i].name, system) != 0)
		i++;
	if (i == contents->n_systems) {
		more = mem_realloc(contents->systems, (i + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		contents->systems = more;
		contents->systems[contents->n_systems++] = (struct dat_system){ .name = system };
	}
	put_format(&contents->systems[i].formats, format, len);
	contents->systems[i].n_formats++;
	return 0;
}

void
dat_contents_fini(struct dat_contents *contents)
{
	for (uint32_t i = 0; i < contents->n_systems; i++)
		text_fini(&contents->systems[i].formats);
	free(contents->systems);
	text_fini(&contents->header_page);
	text_fini(&contents->header_event);
	text_fini(&contents->ftrace_formats);
	text_fini(&contents->kallsyms);
	text_fini(&contents->cmdlines);
	text_fini(&contents->tgids);
}

static void
put_text(struct text *out, const struct text *text, size_t size_of_len)
{
	put_uint(out, text->len, size_of_len);
	text_add(out, text->s ? text->s : "", text->len);
}

static void
put_formats(struct text *out, const struct dat_contents *contents)
{
	put_uint(out, contents->n_ftrace_formats, 4);
	text_add(out, contents->ftrace_formats.s ? contents->ftrace_formats.s : "", contents->ftrace_formats.len);
	put_uint(out, contents->n_systems, 4);
	for (uint32_t i = 0; i < contents->n_systems; i++) {
		const struct dat_system *system = &contents->systems[i];

		text_add(out, system->name, strlen(system->name) + 1);
		put_uint(out, system->n_formats, 4);
		text_add(out, system->formats.s, system->formats.len);
	}
}

/* All that stands before the offsets of the CPUs. */
static void
put_header(struct text *out, const struct dat_contents *contents, uint32_t page_size, uint32_t n_cpus)
{
	static const char page[] = "header_page", event[] = "header_event", options[] = "options  ", flyrecord[] = "flyrecord";

	text_add(out, DAT_MAGIC "6", DAT_MAGIC_LEN + 2); /* with its NUL */
	put_uint(out, 0, 1);                             /* little-endian */
	put_uint(out, sizeof(long), 1);
	put_uint(out, page_size, 4);
	text_add(out, page, sizeof(page));
	put_text(out, &contents->header_page, 8);
	text_add(out, event, sizeof(event));
	put_text(out, &contents->header_event, 8);
	put_formats(out, contents);
	put_text(out, &contents->kallsyms, 4);
	put_uint(out, 0, 4); /* no formats of trace_printk */
	put_text(out, &contents->cmdlines, 8);
	put_uint(out, n_cpus, 4);
	text_add(out, options, sizeof(options));
	if (contents->tgids.len) {
		put_uint(out, DAT_OPTION_TGIDS, 2);
		put_text(out, &contents->tgids, 4);
	}
	put_uint(out, DAT_OPTION_DONE, 2);
	text_add(out, flyrecord, sizeof(flyrecord));
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

/* A file beside `path` that has no name any more. */
static int
open_nameless(const char *path, uint32_t cpu)
{
	struct text name = { 0 };
	int fd;

	text_printf(&name, "%s.cpu%u.XXXXXX", path, cpu);
	fd = mkostemp(name.s, O_CLOEXEC);
	if (fd >= 0)
		unlink(name.s);
	text_fini(&name);
	return fd < 0 ? -errno : fd;
}

static int
open_files(struct dat_writer *writer, struct text *why)
{
	int err = 0;

	writer->fd = open(writer->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (writer->fd < 0)
		err = -errno;
	for (uint32_t cpu = 0; cpu < writer->n_cpus && err == 0; cpu++) {
		writer->cpu_fds[cpu] = open_nameless(writer->path, cpu);
		if (writer->cpu_fds[cpu] < 0)
			err = writer->cpu_fds[cpu];
	}
	if (err < 0)
		text_printf(why, "recording '%s' cannot be written: %s", writer->path, strerror(-err));
	return err;
}

int
dat_writer_open(struct dat_writer **opened, const char *path, uint32_t n_cpus, uint32_t page_size, struct text *why)
{
	struct dat_writer *writer = mem_alloc(sizeof(*writer));
	int err;

	if (writer) {
		*writer = (struct dat_writer){ .path = path, .fd = -1, .page_size = page_size };
		writer->cpu_fds = mem_alloc(n_cpus * sizeof(*writer->cpu_fds));
		writer->cpu_lens = mem_alloc(n_cpus * sizeof(*writer->cpu_lens));
	}
	if (!writer || !writer->cpu_fds || !writer->cpu_lens) {
		text_printf(why, "no memory for recording '%s'", path);
		if (writer)
			dat_writer_close(writer);
		return -ENOMEM;
	}
	writer->n_cpus = n_cpus;
	for (uint32_t cpu = 0; cpu < n_cpus; cpu++)
		writer->cpu_fds[cpu] = -1;
	err = open_files(writer, why);
	if (err < 0) {
		dat_writer_close(writer);
		return err;
	}
	*opened = writer;
	return 0;
}

static int
write_all(int fd, const char *bytes, size_t len)
{
	ssize_t n;

	for (; len; bytes += n, len -= (size_t)n) {
		n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			return -errno;
	}
	return 0;
}

int
dat_writer_page(struct dat_writer *writer, uint32_t cpu, const void *page)
{
	int err = write_all(writer->cpu_fds[cpu], page, writer->page_size);

	if (err == 0)
		writer->cpu_lens[cpu] += writer->page_size;
	return err;
}

static int
copy_pages(const struct dat_writer *writer, uint32_t cpu)
{
	off_t from = 0;
	ssize_t n;

	while ((uint64_t)from < writer->cpu_lens[cpu]) {
		n = sendfile(writer->fd, writer->cpu_fds[cpu], &from, writer->cpu_lens[cpu] - (uint64_t)from);
		if (n <= 0 && errno != EINTR)
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

int
dat_writer_finish(struct dat_writer *writer, const struct dat_contents *contents, struct text *why)
{
	struct text header = { 0 };
	uint64_t offset;
	int err;

	put_header(&header, contents, writer->page_size, writer->n_cpus);
	offset = (header.len + 16ull * writer->n_cpus + writer->page_size - 1) / writer->page_size * writer->page_size;
	for (uint32_t cpu = 0; cpu < writer->n_cpus; cpu++) {
		put_uint(&header, offset, 8);
		put_uint(&header, writer->cpu_lens[cpu], 8);
		offset += writer->cpu_lens[cpu];
	}
	while (header.len % writer->page_size)
		text_putc(&header, 0);
	err = write_all(writer->fd, header.s, header.len);
	for (uint32_t cpu = 0; cpu < writer->n_cpus && err == 0; cpu++)
		err = copy_pages(writer, cpu);
	if (err < 0)
		text_printf(why, "recording '%s' cannot be written: %s", writer->path, strerror(-err));
	text_fini(&header);
	return err;
}

void
dat_writer_close(struct dat_writer *writer)
{
	for (uint32_t cpu = 0; cpu < writer->n_cpus; cpu++)
		if (writer->cpu_fds[cpu] >= 0)
			close(writer->cpu_fds[cpu]);
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer->cpu_fds);
	free(writer->cpu_lens);
	free(writer);
}
