/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/* The server's event "server/request", as its programs see it. */
#ifndef REQUEST_H
#define REQUEST_H

struct request {
	char verb[8];  /* "GET", "SET" */
	char key[32];
	unsigned size; /* bytes of the value */
	unsigned client; /* port of the client */
};

#endif
