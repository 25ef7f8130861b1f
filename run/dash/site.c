/* site.c - the instances that one dashboard shows. */
#include "site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

static struct site *add(struct sites *s, const char *instance, int shard)
{
	struct site *site = s->n < MAX_SITES ? calloc(1, sizeof(*site)) : NULL;

	if (!site)
		return NULL;
	feed_open(&site->feed, instance, &s->others);
	viewer_shard(&site->feed.viewer, shard);
	site->events.feed = &site->feed;
	site->events.count = &s->streams;
	site->asked_at_ns = now_ns();
	s->all[s->n++] = site;
	return site;
}

int sites_open(struct sites *s, const char *instance)
{
	instances_look(&s->others);
	s->max = 1;
	return add(s, instance, -1) ? 0 : -ENOMEM;
}

/* A shard that the own instance has is shown to whoever may ask; what another one has, its own look tells. */
static int may_be_shown(const struct sites *s, const char *instance, int shard)
{
	const struct feed *own = &s->all[0]->feed;

	if (strcmp(own->viewer.instance, instance) == 0)
		return s->shows_shards && s->n < MAX_SITES && own->runs && shard < (int)own->now.n_shards;
	return s->n < s->max && instances_have(&s->others, instance);
}

struct site *sites_find(struct sites *s, const char *instance, int shard)
{
	struct site *site;

	if (!instance)
		instance = s->all[0]->feed.viewer.instance;
	for (uint32_t i = 0; i < s->n; i++)
		if (strcmp(s->all[i]->feed.viewer.instance, instance) == 0 && s->all[i]->feed.viewer.shard == shard) {
			s->all[i]->asked_at_ns = now_ns();
			return s->all[i];
		}
	if (!may_be_shown(s, instance, shard))
		return NULL;
	site = add(s, instance, shard);
	if (site)
		feed_look(&site->feed); /* -ENOMEM: the next look is soon */
	return site;
}

int sites_look(struct sites *s)
{
	int err = 0;

	instances_look(&s->others);
	for (uint32_t i = 0; i < s->n; i++) {
		int this_one = feed_look(&s->all[i]->feed);

		err = err ? err : this_one;
	}
	return err;
}

static void forget_metrics(struct site *site)
{
	for (int i = 0; i < 2; i++) {
		if (site->metrics[i])
			MHD_destroy_response(site->metrics[i]);
		site->metrics[i] = NULL;
	}
}

static void close_site(struct sites *s, uint32_t i)
{
	struct site *site = s->all[i];

	forget_metrics(site);
	feed_close(&site->feed);
	free(site);
	s->all[i] = s->all[--s->n];
}

void sites_wake(struct sites *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		forget_metrics(s->all[i]);
		events_wake(&s->all[i]->events);
	}
	for (uint32_t i = s->n; i-- > 1;) /* the last one takes the place of one that is closed */
		if (s->all[i]->events.n_streams == 0 && now_ns() - s->all[i]->asked_at_ns > SITE_IDLE_NS)
			close_site(s, i);
}

void sites_end(struct sites *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		events_end(&s->all[i]->events);
}

void sites_close(struct sites *s)
{
	while (s->n > 0)
		close_site(s, s->n - 1);
}
