/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * json_none: takes the place of json.c in a build without jansson: says that it is not there.
 */
#include <errno.h>

#include "cli/cli.h"

int
losses_print(const struct losses *losses, const struct object *object, FILE *out)
{
	return -ENOSYS;
}

struct diag_list *
diag_list_new(void)
{
	complain("--json: this ktap was built without jansson (libjansson-dev), which writes JSON");
	return NULL;
}

void
diag_list_add(struct diag_list *list, const struct diags *diags)
{
}

void
diag_list_add_whole(struct diag_list *list, const char *file, const struct diag *diag)
{
}

void
diag_list_add_line(struct diag_list *list, const char *object, const struct source_line *line, const struct diag *diag)
{
}

void
diag_list_print(struct diag_list *list, FILE *out)
{
}

enum exit_status
table_json(const struct outside_table *table, const struct table_row *rows, uint32_t n)
{
	complain("--json: this ktap was built without jansson (libjansson-dev), which writes JSON");
	return STATUS_WORLD;
}
