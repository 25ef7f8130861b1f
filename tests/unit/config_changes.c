/* config_changes.c - the defaults, the digest, what a reload changes, and the help. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "loads.h"
#include "suites.h"

static void the_defaults_are_the_four_classes_of_the_readme(void)
{
	static const char *const names[] = { "high", "medium", "low", "besteffort" };
	static const uint64_t budgets[] = { 1000000, 10000000, 100000000, BUDGET_NONE };
	static const uint32_t quanta[] = { 262144, 131072, 65536, 65536 };
	char text[ADDRESS_BYTES];
	struct config c;

	config_defaults(&c);
	CU_ASSERT_EQUAL_FATAL(c.n_classes, 4);
	for (uint32_t i = 0; i < 4; i++) {
		const struct class_config *class = &c.classes[i];

		check_equal(class->name, names[i]);
		CU_ASSERT_EQUAL(class->budget_ns, budgets[i]);
		CU_ASSERT_EQUAL(class->ingress_quantum_bytes, quanta[i]);
		CU_ASSERT_EQUAL(class->egress_quantum_bytes, quanta[i]);
		CU_ASSERT_EQUAL(class->ingress_to_edf_pkts, 256);
		CU_ASSERT_EQUAL(class->edf_to_egress_pkts, 256);
		CU_ASSERT_EQUAL(class->n_listen, 1);
		CU_ASSERT_EQUAL(class->n_dests, 1);
		snprintf(text, sizeof(text), "127.0.0.1:%u", 8080 + i);
		check_address(&class->listen[0], text);
		snprintf(text, sizeof(text), "127.0.0.1:%u", 9080 + i);
		check_address(&class->dests[0], text);
	}
}

static void the_defaults_of_the_pipeline_are_those_of_the_design(void)
{
	struct config c;

	config_defaults(&c);
	check_equal(c.file, "");
	check_equal(c.instance, "default");
	CU_ASSERT_EQUAL(c.payload_bytes, 1536);
	CU_ASSERT_EQUAL(c.policy, POLICY_GUARDED);
	CU_ASSERT_EQUAL(c.work, WORK_NONE);
	CU_ASSERT_EQUAL(c.full, FULL_WAIT);
	CU_ASSERT_EQUAL(c.late, LATE_SEND);
	CU_ASSERT_EQUAL(c.rate_bits_per_s, 0);
	CU_ASSERT_EQUAL(c.burst_bytes, 65536);
	CU_ASSERT_EQUAL(c.gso, 1);
	CU_ASSERT_EQUAL(c.socket_buffer_bytes, 16 * 1024 * 1024);
	CU_ASSERT_EQUAL(c.fifo, FIFO_AUTO);
	CU_ASSERT_EQUAL(c.heartbeat_ms, 200);
	CU_ASSERT_EQUAL(c.hung_ms, 2000);
	for (int i = 0; i < N_STAGES; i++) {
		CU_ASSERT_EQUAL(c.cpu[i], -2);
		CU_ASSERT_EQUAL(c.spin_us[i], 0);
	}
}

static void an_empty_file_means_the_defaults(void)
{
	struct config c = accepted(""), defaults;
	char text[TEXT_BYTES];

	config_defaults(&defaults);
	CU_ASSERT_EQUAL(changes(&defaults, &c, text), 0);
	check_equal(text, "");
}

static void the_file_that_comes_along_says_exactly_the_defaults(void)
{
	char text[TEXT_BYTES], why[TEXT_BYTES] = "";
	struct config c, defaults;

	config_defaults(&defaults);
	CU_ASSERT_EQUAL(config_load(&c, "run/ontime.conf", 0, NULL, why, sizeof(why)), 0);
	check_equal(why, "");
	check_equal(c.file, "run/ontime.conf");
	CU_ASSERT_EQUAL(changes(&defaults, &c, text), 0);
	check_equal(text, "");
	CU_ASSERT_EQUAL(config_digest(&c), config_digest(&defaults));
}

static void the_stress_file_is_the_set_up_of_the_ancestor(void)
{
	char why[TEXT_BYTES] = "";
	struct config c;

	CU_ASSERT_EQUAL_FATAL(config_load(&c, "run/stress.conf", 0, NULL, why, sizeof(why)), 0);
	check_equal(c.instance, "stress");
	CU_ASSERT_EQUAL(c.work, WORK_SIMULATE);
	CU_ASSERT_EQUAL(c.full, FULL_DROP);
	CU_ASSERT_EQUAL_FATAL(c.n_classes, 3);
	CU_ASSERT_EQUAL(c.classes[0].egress_quantum_bytes, 16 * c.classes[2].egress_quantum_bytes);
	CU_ASSERT_EQUAL(c.classes[1].egress_quantum_bytes, 4 * c.classes[2].egress_quantum_bytes);
	for (uint32_t i = 0; i < c.n_classes; i++) {
		CU_ASSERT_EQUAL(c.classes[i].ingress_quantum_bytes, c.classes[i].egress_quantum_bytes);
		CU_ASSERT_EQUAL(c.classes[i].ingress_to_edf_pkts, 16);
		CU_ASSERT_EQUAL(c.classes[i].edf_to_egress_pkts, 16);
	}
}

static void a_lane_holds_both_limits_and_a_batch(void)
{
	struct class_config class = { .ingress_to_edf_pkts = 256, .edf_to_egress_pkts = 256 };

	CU_ASSERT_EQUAL(config_slots_pkts(&class), 1024);
	class = (struct class_config){ .ingress_to_edf_pkts = 1, .edf_to_egress_pkts = 1 };
	CU_ASSERT_EQUAL(config_slots_pkts(&class), 128);
	class = (struct class_config){ .ingress_to_edf_pkts = 32, .edf_to_egress_pkts = 32 };
	CU_ASSERT_EQUAL(config_slots_pkts(&class), 128);
	class.edf_to_egress_pkts = 33;
	CU_ASSERT_EQUAL(config_slots_pkts(&class), 256);
	class = (struct class_config){ .ingress_to_edf_pkts = 65536, .edf_to_egress_pkts = 65536 };
	CU_ASSERT_EQUAL(config_slots_pkts(&class), 262144);
}

static const char *const same[] = { "--policy=edf-drop",
				    "--full=drop",
				    "--late=drop",
				    "--rate=1Gbit",
				    "--burst=32KiB",
				    "--gso=off",
				    "--socket_buffer=1MiB",
				    "--cpus=0",
				    "--spin=1us",
				    "--fifo=on",
				    "--heartbeat=100ms",
				    "--hung=3s",
				    "--high.budget=2ms",
				    "--high.ingress_quantum=8KiB",
				    "--high.egress_quantum=8KiB",
				    "--high.ingress_to_edf=257" };
static const char *const other[] = { "--instance=x",
				     "--payload_bytes=1500B",
				     "--work=simulate",
				     "--work=plugin:a.so",
				     "--work=plugin:b.so",
				     "--high.listen=127.0.0.1:7",
				     "--high.send=127.0.0.1:7",
				     "--low.send=127.0.0.1:7",
				     "--high.ingress_to_edf=1024" };

static void the_digest_changes_with_what_the_segment_is_made_of_and_with_nothing_else(void)
{
	uint64_t seen[sizeof(other) / sizeof(other[0])];
	struct config c;
	uint64_t digest;

	config_defaults(&c);
	digest = config_digest(&c);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		c = argument_accepted(same[i]);
		CU_ASSERT_EQUAL(config_digest(&c), digest);
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		c = argument_accepted(other[i]);
		seen[i] = config_digest(&c);
		CU_ASSERT_NOT_EQUAL(seen[i], digest);
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_NOT_EQUAL(seen[i], seen[j]);
	}
}

/* As builds before this one have it: a stage of a new build is started beside old ones, and must agree. */
static void the_digest_of_a_file_is_the_same_in_all_builds(void)
{
	struct config c = accepted("");

	CU_ASSERT_EQUAL(config_digest(&c), 0xa569011eae45d091);
	c = accepted(
		"[pipeline]\ninstance = two\npayload_bytes = 9000B\n"
		"work = plugin:build/x.so\n[class video-1]\nlisten = 127.0.0.1:8080 [::1]:8080 [fe80::1%nosuchif]:2\n"
		"send = 239.1.2.3:9080 10.0.0.1:65535 [fe80::1%77]:2\ningress_to_edf = 300\n[class b]\n"
		"listen = 0.0.0.0:1\nsend = [ff02::5%1]:2\n");
	CU_ASSERT_EQUAL(config_digest(&c), 0x2e7098de4f9134a5);
}

static const struct {
	const char *argument, *line;
	int relaunches;
} cases[] = {
	{ "--policy=edf-drop", "policy: guarded -> edf-drop\n", 0 },
	{ "--full=drop", "full: wait -> drop\n", 0 },
	{ "--late=drop", "late: send -> drop\n", 0 },
	{ "--rate=1500kbit", "rate: off -> 1500kbit\n", 0 },
	{ "--burst=1500kB", "burst: 64KiB -> 1500kB\n", 0 },
	{ "--gso=off", "gso: on -> off\n", 0 },
	{ "--spin=0us,0us,50us", "spin: 0us -> 0us,0us,50us\n", 0 },
	{ "--heartbeat=1s", "heartbeat: 200ms -> 1s\n", 0 },
	{ "--hung=60s", "hung: 2s -> 60s\n", 0 },
	{ "--high.budget=none", "high.budget: 1ms -> none\n", 0 },
	{ "--high.ingress_quantum=2MiB", "high.ingress_quantum: 256KiB -> 2MiB\n", 0 },
	{ "--low.egress_quantum=1537B", "low.egress_quantum: 64KiB -> 1537B\n", 0 },
	{ "--low.ingress_to_edf=300", "low.ingress_to_edf: 256 -> 300\n", 0 },
	{ "--low.edf_to_egress=704", "low.edf_to_egress: 256 -> 704\n", 0 },
	{ "--low.edf_to_egress=705", "low.edf_to_egress: 256 -> 705 (needs a relaunch)\n", 1 },
	{ "--low.ingress_to_edf=1", "low.ingress_to_edf: 256 -> 1 (needs a relaunch)\n", 1 },
	{ "--instance=x", "instance: default -> x (needs a relaunch)\n", 1 },
	{ "--payload_bytes=1500B", "payload_bytes: 1536B -> 1500B (needs a relaunch)\n", 1 },
	{ "--work=simulate", "work: none -> simulate (needs a relaunch)\n", 1 },
	{ "--work=plugin:a.so", "work: none -> plugin:a.so (needs a relaunch)\n", 1 },
	{ "--socket_buffer=1MiB", "socket_buffer: 16MiB -> 1MiB (needs a relaunch)\n", 1 },
	{ "--cpus=0,1,1", "cpus: auto -> 0,1,1 (needs a relaunch)\n", 1 },
	{ "--cpus=7", "cpus: auto -> 7 (needs a relaunch)\n", 1 },
	{ "--cpus=none", "cpus: auto -> none (needs a relaunch)\n", 1 },
	{ "--fifo=on", "fifo: auto -> on (needs a relaunch)\n", 1 },
	{ "--high.send=[::1]:7 1.2.3.4:5", "high.send: 127.0.0.1:9080 -> [::1]:7 1.2.3.4:5 (needs a relaunch)\n", 1 },
	{ "--high.listen=[::]:7", "high.listen: 127.0.0.1:8080 -> [::]:7 (needs a relaunch)\n", 1 },
};

static void each_change_is_explained_and_those_that_need_a_relaunch_are_counted(void)
{
	struct config defaults, c;
	char text[TEXT_BYTES];

	config_defaults(&defaults);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = argument_accepted(cases[i].argument);
		CU_ASSERT_EQUAL(changes(&defaults, &c, text), cases[i].relaunches);
		check_equal(text, cases[i].line);
	}
}

static void other_classes_or_another_order_of_them_need_a_relaunch(void)
{
	static const char b_text[] = "[class b]\nlisten = 127.0.0.1:3\nsend = 127.0.0.1:4\n";
	char text[TEXT_BYTES], both[TEXT_BYTES], reverse[TEXT_BYTES];
	struct config a = accepted(CLASS_TEXT), b = accepted(b_text), ab, ba;

	snprintf(both, sizeof(both), "%s%s", CLASS_TEXT, b_text);
	snprintf(reverse, sizeof(reverse), "%s%s", b_text, CLASS_TEXT);
	ab = accepted(both);
	ba = accepted(reverse);
	CU_ASSERT_EQUAL(changes(&a, &b, text), 2);
	check_equal(text, "class a: rank 1 -> none (needs a relaunch)\nclass b: none -> rank 1 (needs a relaunch)\n");
	CU_ASSERT_EQUAL(changes(&a, &ab, text), 1);
	check_equal(text, "class b: none -> rank 2 (needs a relaunch)\n");
	CU_ASSERT_EQUAL(changes(&ab, &ba, text), 2);
	check_equal(text,
		    "class a: rank 1 -> rank 2 (needs a relaunch)\nclass b: rank 2 -> rank 1 (needs a relaunch)\n");
	CU_ASSERT_NOT_EQUAL(config_digest(&ab), config_digest(&ba));
}

static void help_has_one_line_for_each_option(void)
{
	char text[2 * TEXT_BYTES] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	int lines = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	config_print_options(out);
	fclose(out);
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	CU_ASSERT_EQUAL(lines, n_options);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "--policy="));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "none|10us..1h"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "--CLASS.edf_to_egress="));
	CU_ASSERT_PTR_NULL(strstr(text, "(null)"));
}

static void stages_and_policies_have_names(void)
{
	check_equal(stage_name(STAGE_INGRESS), "ingress");
	check_equal(stage_name(STAGE_EDF), "edf");
	check_equal(stage_name(STAGE_EGRESS), "egress");
	check_equal(policy_name(POLICY_EDF), "edf");
	check_equal(policy_name(POLICY_EDF_DROP), "edf-drop");
	check_equal(policy_name(POLICY_GUARDED), "guarded");
	check_equal(policy_name(N_POLICIES), "unknown");
}

SUITE(config_changes, TEST(the_digest_of_a_file_is_the_same_in_all_builds),
      TEST(the_defaults_are_the_four_classes_of_the_readme), TEST(the_defaults_of_the_pipeline_are_those_of_the_design),
      TEST(an_empty_file_means_the_defaults), TEST(the_file_that_comes_along_says_exactly_the_defaults),
      TEST(the_stress_file_is_the_set_up_of_the_ancestor), TEST(a_lane_holds_both_limits_and_a_batch),
      TEST(the_digest_changes_with_what_the_segment_is_made_of_and_with_nothing_else),
      TEST(each_change_is_explained_and_those_that_need_a_relaunch_are_counted),
      TEST(other_classes_or_another_order_of_them_need_a_relaunch), TEST(help_has_one_line_for_each_option),
      TEST(stages_and_policies_have_names))
