/* The options of a user network: the KEY=VALUE pairs of `-netdev user`, with QEMU's meaning. */
#ifndef SERVER_NETWORK_CONFIG_H
#define SERVER_NETWORK_CONFIG_H

#include "base/error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    NETWORK_HOSTFWDS = 16,
    NETWORK_RULE_SIZE = 64,     /* of a rule's text, with its NUL */
    NETWORK_HOSTNAME_SIZE = 33, /* with NUL: what libslirp's DHCP server keeps */
    NETWORK_DOMAIN_SIZE = 128
};

/* A port of the host that leads to one of the guest. */
struct network_hostfwd {
    bool udp;
    struct in_addr host; /* 0.0.0.0: every interface */
    uint16_t host_port;  /* 0: any free one */
    struct in_addr guest;
    uint16_t guest_port;
    char text[NETWORK_RULE_SIZE]; /* as the user wrote it */
};

/* All zero is QEMU's default network: 10.0.2.0/24, host .2, DNS .3, the first guest .15, IPv6
 * fec0::/64. A value: it owns no memory. */
struct network_config {
    struct network_hostfwd hostfwd[NETWORK_HOSTFWDS];
    unsigned hostfwds;
    bool restrict_; /* the guest reaches nothing but what hostfwd rules let in */
    bool ipv4_off, ipv6_off;
    struct in_addr net, mask;            /* mask 0: the default */
    struct in_addr host, dns, dhcpstart; /* 0: the default in `net` */
    char hostname[NETWORK_HOSTNAME_SIZE];
    char domainname[NETWORK_DOMAIN_SIZE];
};

/* One pair; both strings are copied. hostfwd adds a rule, every other key replaces what was set.
 *   hostfwd=[tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT   (at most NETWORK_HOSTFWDS; host port 0: any)
 *   net=ADDRESS/BITS|MASK  host= dns= dhcpstart=ADDRESS  hostname= domainname=NAME
 *   restrict= ipv4= ipv6=on|off */
bool network_config_set(struct network_config *config, const char *key, const char *value,
                        struct error *err);
/* Put in the defaults, and refuse addresses that do not go together. Idempotent. */
bool network_config_complete(struct network_config *config, struct error *err);

#endif
