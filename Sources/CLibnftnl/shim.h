#pragma once
#include <libnftnl/batch.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

// From linux/netfilter.h, whose includes clash with those of the C library.
enum { TENDRIL_NFPROTO_INET = 1, TENDRIL_NFPROTO_IPV4 = 2, TENDRIL_NF_INET_POST_ROUTING = 4, TENDRIL_NF_IP_PRI_NAT_SRC = 100 };
