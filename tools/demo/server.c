/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A little shop over HTTP that leaks, to have something to look at: GET /login starts a session
 * and fills its basket, GET /page renders a page through a cache, GET /logout ends the session.
 * One of the three forgets something.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CACHED_PAGES 500

struct item {
	struct item *next;
	char name[120];
};

struct session {
	char *user;
	struct item *basket;
};

static void *xmalloc(size_t size)
{
	void *p = malloc(size);

	if (!p)
		abort();
	return p;
}

static struct item *new_item(struct item *next, int number)
{
	struct item *item = xmalloc(sizeof(*item));

	snprintf(item->name, sizeof(item->name), "article %d", number);
	item->next = next;
	return item;
}

static struct session *session__start(int number)
{
	struct session *session = xmalloc(sizeof(*session));
	char user[32];

	snprintf(user, sizeof(user), "customer %d", number);
	session->user = strdup(user);
	session->basket = NULL;
	for (int i = 0; i < 5; i++)
		session->basket = new_item(session->basket, i);
	return session;
}

static void session__end(struct session *session)
{
	if (!session)
		return;
	free(session->user);
	/* and the basket? */
	free(session);
}

/* Grows until it is full, as caches do, and is no leak. */
static const char *render_page(void)
{
	static char *cache[CACHED_PAGES];
	static unsigned int rendered;
	unsigned int number = rendered++ % CACHED_PAGES;
	char **page = &cache[number];

	if (!*page) {
		*page = xmalloc(4000);
		snprintf(*page, 4000, "page %u\n", number);
	}
	return *page;
}

static const char *answer(const char *request)
{
	static struct session *session;
	static int customers;

	if (!strncmp(request, "GET /login", 10)) {
		session__end(session);
		session = session__start(++customers);
		return session->user;
	}
	if (!strncmp(request, "GET /logout", 11)) {
		session__end(session);
		session = NULL;
		return "bye";
	}
	return render_page();
}

static void serve(int connection)
{
	char request[1024], *reply;
	ssize_t n;
	int length;

	while ((n = read(connection, request, sizeof(request) - 1)) > 0) {
		const char *body;

		request[n] = 0;
		body = answer(request);
		length = asprintf(&reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
				  strlen(body), body);
		if (length < 0 || write(connection, reply, (size_t)length) != length)
			abort();
		free(reply);
	}
}

/* Prints its port, then serves one client after another. */
int main(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), connection;

	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 16) ||
	    getsockname(listener, (struct sockaddr *)&address, &size)) {
		perror("demo-server");
		return 1;
	}
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	while ((connection = accept(listener, NULL, NULL)) >= 0) {
		serve(connection);
		close(connection);
	}
	return 0;
}
