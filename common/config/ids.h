/*
 * ids.h - the limits of a configuration, and what its choices are called in C.
 *
 * Rules:   no struct and no function of the configuration is known here, so that the segment's layout can include it.
 *          The order of an enum is that of its words in table.c.
 */
#ifndef ONTIME_CONFIG_IDS_H
#define ONTIME_CONFIG_IDS_H

#define MAX_CLASSES 16
#define MAX_LISTEN 4 /* listen addresses per class */
#define MOST_SHARDS 16 /* pipelines of an instance behind the same addresses */
#define MOST_WORKERS 64 /* processes of edf that work on packets at one time */
#define MAX_DESTS 64 /* destinations per class, backups among them */
#define MAX_ALL_DESTS 128 /* of all classes together: each takes a socket, in each shard */
#define MAX_BACKUPS 8
#define MAX_COPIES 16 /* of them, in a class that copies */
#define MOST_WEIGHT 64 /* of a destination: MAX_DESTS of them fit a table of maglev.h */
#define MAX_FROM 2 /* addresses that a class sends from: one of each family */
#define MAX_FLOWS (MAX_CLASSES * MAX_LISTEN)
#define MAX_SESSIONS 16384 /* of all classes together: each takes a socket */
#define MAX_FAIR_SOCKETS 256 /* of all classes with `fair` together */
#define MOST_BUCKETS 64 /* of a class */
#define BATCH 64 /* datagrams per system call: past 64 the gain is below 5 % */
#define CLASS_NAME_BYTES 16 /* with the final NUL */
#define INSTANCE_NAME_BYTES 32
#define PATH_BYTES 256

#define MARGIN_AUTO UINT64_MAX /* margin = auto: measured, from MARGIN_START_NS on */
#define MARGIN_START_NS 50000
#define BUDGET_NONE 0 /* budget = none: the class has no deadline */

enum policy { POLICY_EDF, POLICY_EDF_DROP, POLICY_GUARDED, N_POLICIES };
enum evict { EVICT_NEWEST, EVICT_LARGEST, EVICT_SOURCE };
enum work_kind { WORK_NONE, WORK_SIMULATE, WORK_PLUGIN };
enum full { FULL_WAIT, FULL_DROP };
enum source_shown { SOURCE_OWN, SOURCE_PROXY, SOURCE_ADDRESS, SOURCE_TRANSPARENT };
enum proxy_which { PROXY_EVERY, PROXY_FIRST };
enum late { LATE_SEND, LATE_DROP };
enum fifo { FIFO_OFF, FIFO_ON, FIFO_AUTO };
enum spread { SPREAD_HASH, SPREAD_MAGLEV, SPREAD_FIRST, SPREAD_COPY };
enum gro { GRO_OFF, GRO_ON, GRO_AUTO };
enum stage_id { STAGE_INGRESS, STAGE_EDF, STAGE_EGRESS, N_STAGES };

const char *stage_name(enum stage_id id);
const char *policy_name(enum policy p);

#define SUPERVISED_VARIABLE "ONTIME_SUPERVISED" /* the supervisor's pid, for a dashboard that is to end with it */

#endif
