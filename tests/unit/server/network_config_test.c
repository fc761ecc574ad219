/* The options of a user network. */
#include "server/network_config.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

static struct network_config config;
static struct error err;

static bool set(const char *key, const char *value)
{
    err = (struct error)ERROR_INIT;
    return network_config_set(&config, key, value, &err);
}

static void expect_refused(const char *key, const char *value, enum error_code code)
{
    struct network_config before = config;
    cr_expect(!set(key, value), "%s=%s was taken", key, value);
    cr_expect_eq(err.code, code);
    cr_expect(strstr(err.message, key), "%s", err.message);
    cr_expect(!strchr(err.message, '\n'));
    cr_expect_arr_eq(&config, &before, sizeof config, "%s=%s left something", key, value);
}

static void expect_address(struct in_addr address, const char *text)
{
    cr_expect_str_eq(inet_ntoa(address), text);
}

static bool complete(void)
{
    err = (struct error)ERROR_INIT;
    return network_config_complete(&config, &err);
}

Test(network_config, defaults_are_those_of_qemu)
{
    cr_assert(complete());
    expect_address(config.net, "10.0.2.0");
    expect_address(config.mask, "255.255.255.0");
    expect_address(config.host, "10.0.2.2");
    expect_address(config.dns, "10.0.2.3");
    expect_address(config.dhcpstart, "10.0.2.15");
    struct network_config once = config;
    cr_assert(complete());
    cr_expect_arr_eq(&config, &once, sizeof config);
}

Test(network_config, defaults_follow_the_net)
{
    cr_assert(set("net", "172.16.0.0/255.255.0.0"));
    cr_assert(complete());
    expect_address(config.host, "172.16.2.2");
    config = (struct network_config){0};
    cr_assert(set("net", "192.168.1.77/29"));
    cr_assert(complete());
    expect_address(config.net, "192.168.1.72");
    expect_address(config.host, "192.168.1.74");
    expect_address(config.dns, "192.168.1.75");
    expect_address(config.dhcpstart, "192.168.1.76");
}

Test(network_config, rules_are_parsed)
{
    char text[] = "udp:127.0.0.1:5555-10.0.2.20:80";
    cr_assert(set("hostfwd", text));
    memset(text, 'x', sizeof text - 1);
    cr_assert(set("hostfwd", "::0-:65535"));
    cr_assert(complete());
    cr_assert_eq(config.hostfwds, 2);
    const struct network_hostfwd *rule = &config.hostfwd[0];
    cr_expect(rule->udp);
    expect_address(rule->host, "127.0.0.1");
    cr_expect_eq(rule->host_port, 5555);
    expect_address(rule->guest, "10.0.2.20");
    cr_expect_eq(rule->guest_port, 80);
    cr_expect_str_eq(rule->text, "udp:127.0.0.1:5555-10.0.2.20:80", "it is a copy");
    rule = &config.hostfwd[1];
    cr_expect(!rule->udp);
    expect_address(rule->host, "0.0.0.0");
    cr_expect_eq(rule->host_port, 0);
    expect_address(rule->guest, "10.0.2.15");
    cr_expect_eq(rule->guest_port, 65535);
}

Test(network_config, bad_rules_are_refused)
{
    static const char *const rules[] = {
        "",
        "tcp",
        "tcp:",
        "tcp::",
        "tcp::80",
        "tcp::80-",
        "tcp::80-:",
        "tcp::80-:0",
        "tcp::80-80",
        "tcp:80-:80",
        "tcp::-:80",
        "tcp::65536-:80",
        "tcp::80-:65536",
        "tcp::123456-:80",
        "tcp::-1-:80",
        "tcp::0x50-:80",
        "tcp::80x-:80",
        "tcp::80-:80x",
        "tcp::80-:80-:80",
        "sctp::80-:80",
        "tcp:localhost:80-:80",
        "tcp:127.1:80-:80",
        "tcp:[::1]:80-:80",
        "tcp:1.2.3.256:80-:80",
        "tcp:1111111111111111111111111111111111:80-:80",
        "tcp::80-10.0.2.:80",
        "tcp::80-:80                                         ",
        "tcp:255.255.255.255:65535-255.255.255.255:65535-255.255.255.255:65535"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        expect_refused("hostfwd", rules[i], ERROR_USAGE);
    for (unsigned i = 0; i < NETWORK_HOSTFWDS; i++)
        cr_assert(set("hostfwd", "tcp:255.255.255.255:65535-255.255.255.255:65535"));
    expect_refused("hostfwd", "tcp::80-:80", ERROR_USAGE);
}

Test(network_config, bad_values_are_refused)
{
    static const char *const pairs[][2] = {
        {"net", ""},
        {"net", "10.0.2.0"},
        {"net", "10.0.2.0/"},
        {"net", "10.0.2.0/0"},
        {"net", "10.0.2.0/7"},
        {"net", "10.0.2.0/30"},
        {"net", "10.0.2.0/33"},
        {"net", "10.0.2.0/255.0.255.0"},
        {"net", "10.0.2.0/24x"},
        {"net", "10.0.2/24"},
        {"net", "0.0.0.0/8"},
        {"net", "127.0.0.0/8"},
        {"net", "224.0.0.0/24"},
        {"host", ""},
        {"host", "0.0.0.0"},
        {"host", "gateway"},
        {"dns", "10.0.2.3.4"},
        {"dhcpstart", "10.0.2.15/24"},
        {"hostname", ""},
        {"hostname", "a b"},
        {"hostname", "a\nb"},
        {"hostname", "abcdefghijabcdefghijabcdefghijabc"},
        {"domainname", "\xc3\xa4"},
        {"restrict", ""},
        {"restrict", "maybe"},
        {"ipv4", "1"},
        {"ipv6", "ON"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        expect_refused(pairs[i][0], pairs[i][1], ERROR_USAGE);
}

Test(network_config, unknown_keys_name_what_there_is)
{
    expect_refused("hostfwds", "x", ERROR_USAGE);
    cr_expect(strstr(err.message, "dhcpstart"), "%s", err.message);
    expect_refused("", "x", ERROR_USAGE);
    static const char *const keys[] = {"tftp", "smb", "guestfwd", "bootfile", "ipv6-prefix"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        expect_refused(keys[i], "x", ERROR_UNSUPPORTED);
        cr_expect(strstr(err.message, "not supported"), "%s", err.message);
    }
}

Test(network_config, flags_and_names_are_taken)
{
    cr_assert(set("restrict", "on") && set("ipv6", "off") && set("ipv4", "y"));
    cr_expect(config.restrict_ && config.ipv6_off && !config.ipv4_off);
    cr_assert(set("restrict", "no") && set("ipv6", "yes"));
    cr_expect(!config.restrict_ && !config.ipv6_off);
    cr_assert(set("hostname", "abcdefghijabcdefghijabcdefghijab") &&
              set("domainname", "lab.example"));
    cr_expect_str_eq(config.hostname, "abcdefghijabcdefghijabcdefghijab");
    cr_expect_str_eq(config.domainname, "lab.example");
}

static void expect_incomplete(const char *const pairs[][2], const char *message)
{
    config = (struct network_config){0};
    for (; pairs[0][0]; pairs++)
        cr_assert(set(pairs[0][0], pairs[0][1]), "%s", err.message);
    cr_expect(!complete());
    cr_expect_str_eq(err.message, message);
}
#define INCOMPLETE(message, ...)                                                                   \
    expect_incomplete((const char *const[][2]){__VA_ARGS__, {NULL, NULL}}, message)

Test(network_config, addresses_go_together)
{
    INCOMPLETE("host 10.0.3.2 is no host's address in the network 10.0.2.0/24",
               {"host", "10.0.3.2"});
    INCOMPLETE("dns 10.0.2.0 is no host's address in the network 10.0.2.0/24", {"dns", "10.0.2.0"});
    INCOMPLETE("dhcpstart 10.0.2.255 is no host's address in the network 10.0.2.0/24",
               {"dhcpstart", "10.0.2.255"});
    INCOMPLETE("host, dns and dhcpstart have to differ", {"dhcpstart", "10.0.2.3"});
    INCOMPLETE("ipv4=off,ipv6=off leave no network", {"ipv4", "off"}, {"ipv6", "off"});
    INCOMPLETE("hostfwd tcp::80-:80: it needs ipv4=on", {"ipv4", "off"},
               {"hostfwd", "tcp::80-:80"});
    INCOMPLETE("hostfwd tcp::80-10.9.9.9:80: guest address 10.9.9.9 is no host's address in the "
               "network 10.0.2.0/24",
               {"hostfwd", "tcp::80-10.9.9.9:80"});
}
