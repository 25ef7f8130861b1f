/* header.c - a header that is whole, and not that of its config. */
#include "shm/header.h"

#include "segments.h"

/* Its checksum is no secret: a stage would go by views that are not there, or lengths that do not fit. */
static void one_that_contradicts_its_config_is_refused(void)
{
	struct segment made, seen;
	struct header *h;
	struct config c;

	create(&made, &c);
	h = &made.shared->header;
	for (int i = 0; i < 5; i++) {
		struct header good;

		memcpy(&good, h, sizeof(good));
		h->n_classes -= i == 0;
		h->payload_bytes -= i == 1 ? 64 : 0;
		h->classes[1].slots /= i == 2 ? 2 : 1;
		h->classes[0].forth = i == 3;
		h->classes[2].name[0] = i == 4 ? 'x' : h->classes[2].name[0];
		h->checksum = header_checksum(h);
		CU_ASSERT_EQUAL(segment_attach(&seen, &c, why), -EPROTO);
		CU_ASSERT_PTR_NOT_NULL(strstr(why, "not those of the config"));
		memcpy(h, &good, sizeof(good));
	}
	CU_ASSERT_EQUAL(segment_attach(&seen, &c, why), 0);
	segment_close(&seen);
	drop(&made, &c);
}

SUITE(header, TEST(one_that_contradicts_its_config_is_refused))
