/*
 * config_values.c - numbers with units, words, names and CPUs: what they are read as, and the line said about each that
 * is refused.
 */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <string.h>

#include "loads.h"
#include "suites.h"

static void every_pipeline_key_is_read(void)
{
	struct config c = accepted("[pipeline]\ninstance = two\npayload_bytes = 9000B\npolicy = edf-drop\n"
				   "work = plugin:build/x.so\nfull = drop\nlate = drop\nrate = 50Mbit\nburst = 128KiB\n"
				   "gso = off\nsocket_buffer = 1MiB\ncpus = 0,1,1\nspin = 0us, 1us ,1ms\nfifo = on\n"
				   "heartbeat = 50ms\nhung = 1s\ncage = off\nplugin_calls = openat  mmap\n");

	check_equal(c.instance, "two");
	CU_ASSERT_EQUAL(c.payload_bytes, 9000);
	CU_ASSERT_EQUAL(c.policy, POLICY_EDF_DROP);
	CU_ASSERT_EQUAL(c.work, WORK_PLUGIN);
	check_equal(c.plugin, "build/x.so");
	CU_ASSERT_EQUAL(c.full, FULL_DROP);
	CU_ASSERT_EQUAL(c.late, LATE_DROP);
	CU_ASSERT_EQUAL(c.rate_bits_per_s, 50000000);
	CU_ASSERT_EQUAL(c.burst_bytes, 131072);
	CU_ASSERT_EQUAL(c.gso, 0);
	CU_ASSERT_EQUAL(c.socket_buffer_bytes, 1048576);
	CU_ASSERT(c.cpu[0] == 0 && c.cpu[1] == 1 && c.cpu[2] == 1);
	CU_ASSERT(c.spin_us[0] == 0 && c.spin_us[1] == 1 && c.spin_us[2] == 1000);
	CU_ASSERT_EQUAL(c.fifo, FIFO_ON);
	CU_ASSERT_EQUAL(c.heartbeat_ms, 50);
	CU_ASSERT_EQUAL(c.hung_ms, 1000);
	CU_ASSERT_EQUAL(c.cage, 0);
	check_equal(c.plugin_calls, "openat mmap");
}

static void every_class_key_is_read_and_the_file_replaces_the_default_classes(void)
{
	struct config c = accepted("[class video-1]\nlisten = 127.0.0.1:8080 [::1]:8080\n"
				   "send = 127.0.0.1:9080\t10.0.0.1:65535\nbudget = 1500us ; a comment\n"
				   "ingress_quantum = 96KiB\negress_quantum = 2kB\n  ingress_to_edf = 1\n"
				   "edf_to_egress=65536\n[class b]\nlisten = 0.0.0.0:1\nsend = [fe80::1%1]:2\n");
	const struct class_config *class = &c.classes[0];
	char scoped[ADDRESS_BYTES];

	CU_ASSERT_EQUAL_FATAL(c.n_classes, 2);
	check_equal(class->name, "video-1");
	CU_ASSERT_EQUAL(class->budget_ns, 1500000);
	CU_ASSERT_EQUAL(class->ingress_quantum_bytes, 98304);
	CU_ASSERT_EQUAL(class->egress_quantum_bytes, 2000);
	CU_ASSERT_EQUAL(class->ingress_to_edf_pkts, 1);
	CU_ASSERT_EQUAL(class->edf_to_egress_pkts, 65536);
	CU_ASSERT(class->n_listen == 2 && class->n_dests == 2);
	check_address(&class->listen[0], "127.0.0.1:8080");
	check_address(&class->listen[1], "[::1]:8080");
	check_address(&class->dests[1], "10.0.0.1:65535");
	CU_ASSERT_EQUAL(c.classes[1].budget_ns, BUDGET_NONE);
	CU_ASSERT_EQUAL(c.classes[1].egress_quantum_bytes, 65536);
	CU_ASSERT_PTR_NOT_NULL(strstr(address_format(&c.classes[1].dests[0], scoped), "[fe80::1%"));
}

static void a_quantity_without_a_unit_is_refused_with_the_units(void)
{
	refused(CLASS_TEXT "budget = 1\n",
		"FILE:4: budget = \"1\": a unit is missing; use ns, us, ms or s, from 10us to 1h (for example 1ms)");
	refused("[pipeline]\nburst = 64\n", "FILE:2: burst = \"64\": a unit is missing; use B, kB, KiB or MiB, from "
					    "1KiB to 16MiB (for example 64KiB)");
	refused("[pipeline]\nrate = 50\n", "FILE:2: rate = \"50\": a unit is missing; use bit, kbit, Mbit or Gbit (per "
					   "second), from 64kbit to 400Gbit (for example 50Mbit)");
	refused("[pipeline]\nspin = 0\n",
		"FILE:2: spin = \"0\": a unit is missing; use ns, us, ms or s, from 0us to 10ms (for example 0us)");
}

#define BUDGET_USE "use ns, us, ms or s, from 10us to 1h (for example 1ms)"

static void a_quantity_is_one_number_and_one_unit_in_range(void)
{
	refused(CLASS_TEXT "budget =\n", "FILE:4: budget = \"\": a value is missing; " BUDGET_USE);
	refused(CLASS_TEXT "budget = soon\n", "FILE:4: budget = \"soon\": neither a number nor \"none\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = +1ms\n", "FILE:4: budget = \"+1ms\": neither a number nor \"none\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = -1ms\n", "FILE:4: budget = \"-1ms\": a negative number; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 1msx\n", "FILE:4: budget = \"1msx\": unknown unit \"msx\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 1KiB\n", "FILE:4: budget = \"1KiB\": unknown unit \"KiB\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 9us\n", "FILE:4: budget = \"9us\": too small; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 0ms\n", "FILE:4: budget = \"0ms\": too small; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 3601s\n", "FILE:4: budget = \"3601s\": too large; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 18446744073709551617ns\n",
		"FILE:4: budget = \"18446744073709551617ns\": too large; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 18446744074s\n", "FILE:4: budget = \"18446744074s\": too large; " BUDGET_USE);
	refused("[pipeline]\nheartbeat = 10500us\n", "FILE:2: heartbeat = \"10500us\": not whole ms; use ns, us, ms or "
						     "s, from 10ms to 1s (for example 200ms)");
	refused("[pipeline]\nspin = 1500ns\n", "FILE:2: spin = \"1500ns\": not whole us; use ns, us, ms or s, from 0us "
					       "to 10ms (for example 0us)");
	refused("[pipeline]\ngso = 1\n", "FILE:2: gso = \"1\": unknown choice; use off or on");
	refused("[pipeline]\npayload_bytes = x\n",
		"FILE:2: payload_bytes = \"x\": not a number; use B, kB, KiB or MiB, "
		"from 64B to 65507B (for example 1536B)");
}

static void a_point_and_a_blank_are_accepted_where_the_value_is_exact(void)
{
	CU_ASSERT_EQUAL(argument_accepted("--high.budget=0.5ms").classes[0].budget_ns, 500000);
	CU_ASSERT_EQUAL(argument_accepted("--high.budget=5 ms").classes[0].budget_ns, 5000000);
	CU_ASSERT_EQUAL(argument_accepted("--high.budget=1.234567\tms").classes[0].budget_ns, 1234567);
	CU_ASSERT_EQUAL(argument_accepted("--high.budget=1.2345670000000000000000000000000ms").classes[0].budget_ns,
			1234567);
	CU_ASSERT_EQUAL(argument_accepted("--high.budget=0.5h").classes[0].budget_ns, 1800000000000);
	CU_ASSERT_EQUAL(argument_accepted("--rate=1.5Gbit").rate_bits_per_s, 1500000000);
	CU_ASSERT_EQUAL(argument_accepted("--burst=1.5 KiB").burst_bytes, 1536);
	CU_ASSERT_EQUAL(argument_accepted("--spin=0.5ms, 1 us,0.001 ms").spin_us[2], 1);
	CU_ASSERT_EQUAL(argument_accepted("--heartbeat=0.1s").heartbeat_ms, 100);
	CU_ASSERT_EQUAL(argument_accepted("--high.share=7.0 %").classes[0].share_percent, 7);
	CU_ASSERT_EQUAL(argument_accepted("--high.ingress_to_edf=300.0").classes[0].ingress_to_edf_pkts, 300);
}

static void what_is_not_exact_is_refused_with_the_unit_it_is_not_whole_in(void)
{
	refused(CLASS_TEXT "budget = 0.0000001ms\n", "FILE:4: budget = \"0.0000001ms\": not whole ns; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 10.5us; a comment needs a blank\n",
		"FILE:4: budget = \"10.5us; a comment needs a blank\": unknown unit \"us; a comment needs "
		"\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 1.00000000000000000000000000000001s\n",
		"FILE:4: budget = \"1.00000000000000000000000000000001s\": not whole ns; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 99999999999999999999.5s\n",
		"FILE:4: budget = \"99999999999999999999.5s\": too large; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 1  ms\n", "FILE:4: budget = \"1  ms\": unknown unit \" ms\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 1.ms\n", "FILE:4: budget = \"1.ms\": no digits behind the point; " BUDGET_USE);
	refused(CLASS_TEXT "budget = .5ms\n", "FILE:4: budget = \".5ms\": neither a number nor \"none\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 1.5.5ms\n", "FILE:4: budget = \"1.5.5ms\": unknown unit \".5ms\"; " BUDGET_USE);
	argument_refused("--high.budget=5 ", "command line: --high.budget=\"5 \": unknown unit \" \"; " BUDGET_USE);
	argument_refused("--burst=1.3KiB",
			 "command line: --burst=\"1.3KiB\": not whole B; use B, kB, KiB or MiB, from 1KiB "
			 "to 16MiB (for example 64KiB)");
	argument_refused("--high.ingress_to_edf=1.5",
			 "command line: --high.ingress_to_edf=\"1.5\": not a whole number; use "
			 "a whole number, from 1 to 65536 (for example 256)");
	argument_refused("--high.share=1.5%",
			 "command line: --high.share=\"1.5%\": not whole %; use a percentage, from 0% "
			 "to 100% (for example 0%)");
	argument_refused("--heartbeat=10.5ms",
			 "command line: --heartbeat=\"10.5ms\": not whole ms; use ns, us, ms or s, "
			 "from 10ms to 1s (for example 200ms)");
}

static void a_limit_is_accepted_in_the_words_it_is_printed_in(void)
{
	CU_ASSERT_EQUAL(accepted("[pipeline]\npolicy = edf\n" CLASS_TEXT "budget = 10us\n").classes[0].budget_ns,
			10000);
	CU_ASSERT_EQUAL(argument_accepted("--high.budget=1h").classes[0].budget_ns, 3600000000000);
	CU_ASSERT_EQUAL(argument_accepted("--high.budget=none").classes[0].budget_ns, BUDGET_NONE);
	CU_ASSERT_EQUAL(argument_accepted("--rate=400Gbit").rate_bits_per_s, 400000000000);
	CU_ASSERT_EQUAL(argument_accepted("--rate=off").rate_bits_per_s, 0);
	CU_ASSERT_EQUAL(argument_accepted("--socket_buffer=1023MiB").socket_buffer_bytes, 1023U << 20);
}

static void a_count_takes_no_unit(void)
{
	refused(CLASS_TEXT "ingress_to_edf = 256pkts\n",
		"FILE:4: ingress_to_edf = \"256pkts\": not a whole number; use "
		"a whole number, from 1 to 65536 (for example 256)");
	refused(CLASS_TEXT "edf_to_egress = 0\n",
		"FILE:4: edf_to_egress = \"0\": too small; use a whole number, from 1 "
		"to 65536 (for example 256)");
	refused(CLASS_TEXT "edf_to_egress = 65537\n", "FILE:4: edf_to_egress = \"65537\": too large; use a whole "
						      "number, from 1 to 65536 (for example 256)");
	refused(CLASS_TEXT "edf_to_egress = 0x10\n",
		"FILE:4: edf_to_egress = \"0x10\": not a whole number; use a whole "
		"number, from 1 to 65536 (for example 256)");
}

static void a_call_is_one_of_this_machine(void)
{
	struct config c = accepted("[pipeline]\nplugin_calls = none\n");

	check_equal(c.plugin_calls, "");
	CU_ASSERT_EQUAL(c.cage, 1);
	refused("[pipeline]\nplugin_calls = openat frobnicate\n",
		"FILE:2: plugin_calls = \"openat frobnicate\": \"frobnicate\" is no system call of this machine; "
		"syscalls(2) lists them");
	refused("[pipeline]\nplugin_calls =\n",
		"FILE:2: plugin_calls = \"\": a value is missing; use names, with a blank between two");
}

static void a_choice_names_its_words(void)
{
	refused("[pipeline]\npolicy = fifo\n",
		"FILE:2: policy = \"fifo\": unknown choice; use edf, edf-drop or guarded");
	refused("[pipeline]\npolicy = edf-\n",
		"FILE:2: policy = \"edf-\": unknown choice; use edf, edf-drop or guarded");
	refused("[pipeline]\npolicy = edf|edf-drop\n",
		"FILE:2: policy = \"edf|edf-drop\": unknown choice; use edf, edf-drop or guarded");
	refused("[pipeline]\nfull =\n", "FILE:2: full = \"\": a value is missing; use wait or drop");
	refused("[pipeline]\nwork = burn\n",
		"FILE:2: work = \"burn\": unknown choice; use none, simulate or plugin:FILE.so");
	refused("[pipeline]\nwork = plugin:\n",
		"FILE:2: work = \"plugin:\": the plugin's file is missing; use plugin:FILE.so");
}

static void an_instance_is_a_short_plain_word(void)
{
	refused("[pipeline]\ninstance = a/b\n",
		"FILE:2: instance = \"a/b\": not a name; use 1 to 31 of a-z, 0-9, _ and -");
	refused("[pipeline]\ninstance =\n",
		"FILE:2: instance = \"\": a name is missing; use 1 to 31 of a-z, 0-9, _ and -");
	refused("[pipeline]\ninstance = a2345678901234567890123456789012\n",
		"FILE:2: instance = \"a2345678901234567890123456789012\": too long; use 1 to 31 of a-z, 0-9, _ and -");
	check_equal(argument_accepted("--instance=a234567890123456789012345678901").instance,
		    "a234567890123456789012345678901");
}

#define CPUS_USE                                                                                                       \
	"use auto, none, one CPU for all, or three with commas (ingress,edf,egress), from 0 to 1023 (for example "     \
	"0,1,1)"

static void cpus_are_auto_none_one_or_three(void)
{
	struct config c = argument_accepted("--cpus=3");

	CU_ASSERT(c.cpu[0] == 3 && c.cpu[1] == 3 && c.cpu[2] == 3);
	c = argument_accepted("--cpus=none");
	CU_ASSERT(c.cpu[0] == -1 && c.cpu[1] == -1 && c.cpu[2] == -1);
	argument_refused("--cpus=0,1", "command line: --cpus=\"0,1\": not a choice of CPUs; " CPUS_USE);
	argument_refused("--cpus=0,1,2,3", "command line: --cpus=\"0,1,2,3\": not a choice of CPUs; " CPUS_USE);
	argument_refused("--cpus=-1", "command line: --cpus=\"-1\": not a choice of CPUs; " CPUS_USE);
	argument_refused("--cpus=1024", "command line: --cpus=\"1024\": not a choice of CPUs; " CPUS_USE);
	argument_refused("--cpus=0,,1", "command line: --cpus=\"0,,1\": not a choice of CPUs; " CPUS_USE);
	argument_refused("--cpus=", "command line: --cpus=\"\": a value is missing; " CPUS_USE);
	argument_refused("--cpus=auto,0,0", "command line: --cpus=\"auto,0,0\": not a choice of CPUs; " CPUS_USE);
}

static void a_spin_is_one_time_or_three(void)
{
	struct config c = argument_accepted("--spin=50us");

	CU_ASSERT(c.spin_us[0] == 50 && c.spin_us[1] == 50 && c.spin_us[2] == 50);
	argument_refused("--spin=0us,1us",
			 "command line: --spin=\"0us,1us\": not one time, nor three with commas "
			 "(ingress,edf,egress); use ns, us, ms or s, from 0us to 10ms (for example 0us)");
	argument_refused("--spin=0us,0us,1", "command line: --spin=\"0us,0us,1\": a unit is missing; use ns, us, ms or "
					     "s, from 0us to 10ms (for example 0us)");
	argument_refused("--spin=0us,,1us", "command line: --spin=\"0us,,1us\": a value is missing; use ns, us, ms or "
					    "s, from 0us to 10ms (for example 0us)");
}

static void what_goes_from_a_long_queue_is_the_newest_or_the_largest(void)
{
	CU_ASSERT_EQUAL(argument_accepted("--policy=guarded").evict, EVICT_NEWEST);
	CU_ASSERT_EQUAL(argument_accepted("--evict=largest").evict, EVICT_LARGEST);
	CU_ASSERT_EQUAL(argument_accepted("--low.margin=1ms").classes[2].margin_ns, 1000000);
	CU_ASSERT_EQUAL(argument_accepted("--low.margin=auto").classes[2].margin_ns, MARGIN_AUTO);
	argument_refused("--low.margin=automatic", "command line: --low.margin=\"automatic\": neither a number nor "
						   "\"auto\"; use ns, us, ms or s, from 0ns to 1s (for example 1ms)");
}

SUITE(config_values, TEST(a_point_and_a_blank_are_accepted_where_the_value_is_exact),
      TEST(what_is_not_exact_is_refused_with_the_unit_it_is_not_whole_in), TEST(every_pipeline_key_is_read),
      TEST(every_class_key_is_read_and_the_file_replaces_the_default_classes),
      TEST(a_quantity_without_a_unit_is_refused_with_the_units), TEST(a_quantity_is_one_number_and_one_unit_in_range),
      TEST(a_limit_is_accepted_in_the_words_it_is_printed_in), TEST(a_count_takes_no_unit),
      TEST(a_call_is_one_of_this_machine), TEST(a_choice_names_its_words), TEST(an_instance_is_a_short_plain_word),
      TEST(cpus_are_auto_none_one_or_three), TEST(a_spin_is_one_time_or_three),
      TEST(what_goes_from_a_long_queue_is_the_newest_or_the_largest))
