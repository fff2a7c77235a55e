/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/* A program that the server must refuse: it reads behind the end of the request. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "request.h"

SEC("server/request")
int
wild(struct request *request)
{
	return ((char *)request)[sizeof(*request) + 100];
}
