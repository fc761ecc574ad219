#include "server/network_config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Smaller networks have no room for libslirp's own addresses, larger ones are no networks. */
enum { PREFIX_LEAST = 8, PREFIX_MOST = 29 };

/* ---- pieces ---- */

/* A dotted quad of `size` characters. */
static bool parse_address(const char *text, size_t size, struct in_addr *address)
{
    char copy[INET_ADDRSTRLEN];
    if (size >= sizeof copy)
        return false;
    memcpy(copy, text, size);
    copy[size] = 0;
    return inet_pton(AF_INET, copy, address) == 1;
}

/* 1 to 5 decimal digits, at most `most`. */
static bool parse_number(const char *text, size_t size, unsigned long most, unsigned *number)
{
    if (!size || size > 5 || strspn(text, "0123456789") < size)
        return false;
    unsigned long value = strtoul(text, NULL, 10);
    *number = (unsigned)value;
    return value <= most;
}

static bool set_flag(bool *flag, const char *key, const char *value, bool on, struct error *err)
{
    bool yes = !strcmp(value, "on") || !strcmp(value, "yes") || !strcmp(value, "y");
    bool no = !strcmp(value, "off") || !strcmp(value, "no") || !strcmp(value, "n");
    if (!yes && !no)
        return error_set(err, ERROR_USAGE, "%s=%s: it is on or off", key, value);
    *flag = yes == on;
    return true;
}

static bool set_address(struct in_addr *address, const char *key, const char *value,
                        struct error *err)
{
    struct in_addr parsed;
    if (!parse_address(value, strlen(value), &parsed) || !parsed.s_addr)
        return error_set(err, ERROR_USAGE, "%s=%s: not an IPv4 address like 10.0.2.2", key, value);
    *address = parsed;
    return true;
}

/* Letters, digits, hyphens and dots: it goes into DHCP answers. */
static bool set_name(char *name, size_t size, const char *key, const char *value, struct error *err)
{
    size_t length = strlen(value);
    if (!length || length >= size)
        return error_set(err, ERROR_USAGE, "%s: a name has 1 to %zu characters, this one %zu", key,
                         size - 1, length);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)value[i]) && value[i] != '-' && value[i] != '.')
            return error_set(err, ERROR_USAGE,
                             "%s: a name is made of letters, digits, hyphens and dots", key);
    memcpy(name, value, length + 1);
    return true;
}

/* ---- net ---- */

static struct in_addr prefix_mask(unsigned bits)
{
    return (struct in_addr){htonl(UINT32_MAX << (32 - bits))};
}

/* Bits or a mask; PREFIX_LEAST to PREFIX_MOST leading ones. */
static bool parse_mask(const char *text, struct in_addr *mask)
{
    unsigned bits;
    if (parse_number(text, strlen(text), 32, &bits)) {
        if (bits < PREFIX_LEAST || bits > PREFIX_MOST)
            return false;
        *mask = prefix_mask(bits);
        return true;
    }
    if (!parse_address(text, strlen(text), mask))
        return false;
    for (bits = PREFIX_LEAST; bits <= PREFIX_MOST; bits++)
        if (mask->s_addr == prefix_mask(bits).s_addr)
            return true;
    return false;
}

/* 0/8 and 127/8 mean something else to the host, 224/4 and above are no unicast addresses. */
static bool is_usable_net(struct in_addr net)
{
    unsigned first = ntohl(net.s_addr) >> 24;
    return first != 0 && first != 127 && first < 224;
}

static bool set_net(struct network_config *c, const char *value, struct error *err)
{
    struct in_addr net, mask;
    const char *slash = strchr(value, '/');
    if (!slash || !parse_address(value, (size_t)(slash - value), &net) ||
        !parse_mask(slash + 1, &mask))
        return error_set(err, ERROR_USAGE,
                         "net=%s: not a network like 10.0.2.0/24, with %d to %d bits", value,
                         PREFIX_LEAST, PREFIX_MOST);
    net.s_addr &= mask.s_addr;
    if (!is_usable_net(net))
        return error_set(err, ERROR_USAGE, "net=%s: no guest can have an address in it", value);
    c->net = net;
    c->mask = mask;
    return true;
}

/* ---- hostfwd ---- */

/* [ADDRESS]:PORT of `size` characters; without an address `*address` stays. */
static bool parse_end(const char *text, size_t size, struct in_addr *address, uint16_t *port)
{
    const char *colon = memchr(text, ':', size);
    unsigned number;
    if (!colon)
        return false;
    size_t length = (size_t)(colon - text);
    if ((length && !parse_address(text, length, address)) ||
        !parse_number(colon + 1, size - length - 1, UINT16_MAX, &number))
        return false;
    *port = (uint16_t)number;
    return true;
}

static bool parse_hostfwd(const char *value, struct network_hostfwd *rule)
{
    const char *colon = strchr(value, ':');
    if (!colon || strlen(value) >= sizeof rule->text)
        return false;
    size_t protocol = (size_t)(colon - value);
    bool tcp = !protocol || (protocol == 3 && !memcmp(value, "tcp", 3));
    rule->udp = protocol == 3 && !memcmp(value, "udp", 3);
    const char *host = colon + 1, *dash = strchr(host, '-');
    if ((!tcp && !rule->udp) || !dash)
        return false;
    strcpy(rule->text, value);
    return parse_end(host, (size_t)(dash - host), &rule->host, &rule->host_port) &&
           parse_end(dash + 1, strlen(dash + 1), &rule->guest, &rule->guest_port) &&
           rule->guest_port;
}

static bool add_hostfwd(struct network_config *c, const char *value, struct error *err)
{
    struct network_hostfwd rule = {0};
    if (!parse_hostfwd(value, &rule))
        return error_set(err, ERROR_USAGE,
                         "hostfwd %s: a rule is tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT, of the host "
                         "first and then of the guest, with IPv4 addresses",
                         value);
    if (c->hostfwds == NETWORK_HOSTFWDS)
        return error_set(err, ERROR_USAGE, "hostfwd %s: a network has at most %d rules", value,
                         NETWORK_HOSTFWDS);
    c->hostfwd[c->hostfwds++] = rule;
    return true;
}

/* ---- keys ---- */

static bool is_unsupported(const char *key)
{
    static const char *const keys[] = {"tftp",        "tftp-server-name", "bootfile",  "smb",
                                       "smbserver",   "guestfwd",         "dnssearch", "ipv6-net",
                                       "ipv6-prefix", "ipv6-prefixlen",   "ipv6-host", "ipv6-dns"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i]))
            return true;
    return false;
}

bool network_config_set(struct network_config *c, const char *key, const char *value,
                        struct error *err)
{
    if (!strcmp(key, "hostfwd"))
        return add_hostfwd(c, value, err);
    if (!strcmp(key, "net"))
        return set_net(c, value, err);
    if (!strcmp(key, "host"))
        return set_address(&c->host, key, value, err);
    if (!strcmp(key, "dns"))
        return set_address(&c->dns, key, value, err);
    if (!strcmp(key, "dhcpstart"))
        return set_address(&c->dhcpstart, key, value, err);
    if (!strcmp(key, "hostname"))
        return set_name(c->hostname, sizeof c->hostname, key, value, err);
    if (!strcmp(key, "domainname"))
        return set_name(c->domainname, sizeof c->domainname, key, value, err);
    if (!strcmp(key, "restrict"))
        return set_flag(&c->restrict_, key, value, true, err);
    if (!strcmp(key, "ipv4"))
        return set_flag(&c->ipv4_off, key, value, false, err);
    if (!strcmp(key, "ipv6"))
        return set_flag(&c->ipv6_off, key, value, false, err);
    if (is_unsupported(key))
        return error_set(err, ERROR_UNSUPPORTED, "%s is not supported in a user network", key);
    return error_set(err, ERROR_USAGE,
                     "a user network has no option `%s` (there are hostfwd, net, host, dns, "
                     "dhcpstart, hostname, domainname, restrict, ipv4, ipv6)",
                     key);
}

/* ---- together ---- */

static bool check_address(const struct network_config *c, const char *key, struct in_addr address,
                          struct error *err)
{
    uint32_t rest = address.s_addr & ~c->mask.s_addr;
    if ((address.s_addr & c->mask.s_addr) == c->net.s_addr && rest && rest != ~c->mask.s_addr)
        return true;
    char text[INET_ADDRSTRLEN], net[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address, text, sizeof text);
    inet_ntop(AF_INET, &c->net, net, sizeof net);
    return error_set(err, ERROR_USAGE, "%s %s is no host's address in the network %s/%d", key, text,
                     net, __builtin_popcount(c->mask.s_addr));
}

static void set_default(const struct network_config *c, struct in_addr *address, uint32_t host)
{
    if (!address->s_addr)
        address->s_addr = c->net.s_addr | (htonl(host) & ~c->mask.s_addr);
}

static void set_defaults(struct network_config *c)
{
    if (!c->mask.s_addr) {
        c->net.s_addr = htonl(0x0a000200);
        c->mask = prefix_mask(24);
    }
    set_default(c, &c->host, 0x0202);
    set_default(c, &c->dns, 0x0203);
    /* In the smallest networks .15 is the broadcast address, or another network's. */
    set_default(c, &c->dhcpstart, ~ntohl(c->mask.s_addr) > 15 ? 0x020f : 0x0204);
}

bool network_config_complete(struct network_config *c, struct error *err)
{
    set_defaults(c);
    if (c->ipv4_off && c->ipv6_off)
        return error_set(err, ERROR_USAGE, "ipv4=off,ipv6=off leave no network");
    if (!check_address(c, "host", c->host, err) || !check_address(c, "dns", c->dns, err) ||
        !check_address(c, "dhcpstart", c->dhcpstart, err))
        return false;
    if (c->host.s_addr == c->dns.s_addr || c->host.s_addr == c->dhcpstart.s_addr ||
        c->dns.s_addr == c->dhcpstart.s_addr)
        return error_set(err, ERROR_USAGE, "host, dns and dhcpstart have to differ");
    for (unsigned i = 0; i < c->hostfwds; i++) {
        struct network_hostfwd *rule = &c->hostfwd[i];
        if (c->ipv4_off)
            return error_set(err, ERROR_USAGE, "hostfwd %s: it needs ipv4=on", rule->text);
        if (!rule->guest.s_addr)
            rule->guest = c->dhcpstart;
        if (!check_address(c, "guest address", rule->guest, err))
            return error_prefix(err, "hostfwd %s", rule->text);
    }
    return true;
}
