/* -netdev, -net and -nic: user networking. */
#include "cli/options_set.h"

#include <stdio.h>
#include <string.h>

static const char driver[] = "virtio-net-device";

/* ---- addresses ---- */

bool options_parse_mac(const char *name, const char *value, uint8_t mac[6], struct error *err)
{
    unsigned byte[6];
    int used = 0;
    bool good = strlen(value) == 17 && strspn(value, "0123456789abcdefABCDEF:") == 17 &&
                sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3],
                       &byte[4], &byte[5], &used) == 6 &&
                used == 17;
    if (!good)
        return error_set(err, ERROR_USAGE,
                         "-%s: `%.40s` is no MAC address, which is like 52:54:00:12:34:56", name,
                         value);
    if (byte[0] & 1)
        return error_set(err, ERROR_USAGE,
                         "-%s: %s is a multicast address: the first byte has to be even", name,
                         value);
    for (unsigned i = 0; i < 6; i++)
        mac[i] = (uint8_t)byte[i];
    return true;
}

/* As QEMU numbers them. */
static void set_default_mac(struct device_option *device, unsigned index)
{
    static const uint8_t first[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    if (device->has_mac)
        return;
    memcpy(device->mac, first, sizeof first);
    device->mac[5] = (uint8_t)(first[5] + index);
}

/* ---- pieces ---- */

static int find_netdev(const struct device_options *all, const char *id)
{
    for (unsigned i = 0; i < all->netdevs; i++)
        if (all->netdev[i].id && !strcmp(all->netdev[i].id, id))
            return (int)i;
    return OPTIONS_NONE;
}

static struct netdev_option *add_netdev(struct run_options *o, const char *name, struct error *err)
{
    struct device_options *all = o->collected;
    if (all->netdevs == OPTIONS_NETDEVS) {
        error_set(err, ERROR_RANGE, "-%s: too many networks: the machine has %d slots", name,
                  RISCV_VIRT_SLOTS);
        return NULL;
    }
    struct netdev_option *n = &all->netdev[all->netdevs++];
    *n = (struct netdev_option){0};
    return n;
}

/* The next item of a list for a network, which has a key. */
static bool next_pair(struct property_item *item, const char **list, const char *name,
                      struct error *err)
{
    if (!properties_next(item, list, name, err))
        return false;
    return item->key ||
           error_set(err, ERROR_USAGE, "-%s: `%.80s` is no KEY=VALUE", name, item->value);
}

static bool set_network(struct netdev_option *n, const char *name, const struct property_item *item,
                        struct error *err)
{
    return network_config_set(&n->config, item->key, item->value, err) ||
           error_prefix(err, "-%s", name);
}

static bool complete(struct netdev_option *n, const char *name, struct error *err)
{
    return network_config_complete(&n->config, err) || error_prefix(err, "-%s", name);
}

static bool only_user(const char *name, const char *type, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED, "-%s: there is no network `%.40s`, only `user`%s",
                     name, type, strcmp(name, "netdev") != 0 ? " and `none`" : "");
}

/* ---- -netdev ---- */

static bool set_netdev_id(struct run_options *o, struct netdev_option *n, const char *name,
                          const char *value, struct error *err)
{
    if (find_netdev(o->collected, value) != OPTIONS_NONE)
        return error_set(err, ERROR_USAGE, "-%s: id=%s is given to two networks", name, value);
    n->id = options_keep(o, value);
    return options_check_id(name, value, err);
}

bool options_set_netdev(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    struct property_item item;
    const char *list = value, *type = options_type(o, name, "type", &list, err);
    if (!type)
        return false;
    if (strcmp(type, "user") != 0)
        return only_user(name, type, err);
    struct netdev_option *n = add_netdev(o, name, err);
    if (!n)
        return false;
    while (*list) {
        if (!next_pair(&item, &list, name, err))
            return false;
        if (!(!strcmp(item.key, "id") ? set_netdev_id(o, n, name, item.value, err)
                                      : set_network(n, name, &item, err)))
            return false;
    }
    if (!n->id)
        return error_set(err, ERROR_USAGE, "-%s %.80s: a name is missing: add id=N", name, value);
    return complete(n, name, err);
}

/* ---- -net and -nic ---- */

static bool is_card_key(const char *key)
{
    static const char *const keys[] = {"model", "mac", "macaddr", "id", "name"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i]))
            return true;
    return false;
}

static bool set_card(struct run_options *o, struct device_option *device, const char *name,
                     const struct property_item *item, struct error *err)
{
    if (!strcmp(item->key, "model"))
        return !strcmp(item->value, "virtio") || !strcmp(item->value, driver) ||
               error_set(err, ERROR_UNSUPPORTED, "-%s: there is no card `%.40s`, only `virtio`",
                         name, item->value);
    if (*item->key == 'm') {
        device->has_mac = options_parse_mac(name, item->value, device->mac, err);
        return device->has_mac;
    }
    if (!options_check_device_id(o, name, item->value, err))
        return false;
    device->id = options_keep(o, item->value);
    return true;
}

/* -net's one card and one network, whichever of the two options comes first. */
static struct device_option *net_device(struct run_options *o, const char *name, struct error *err)
{
    struct device_options *all = o->collected;
    if (all->net_device == OPTIONS_NONE) {
        struct device_option *device = options_add_device(o, name, driver, VIRTIO_ID_NET, err);
        if (!device)
            return NULL;
        all->net_device = (int)(device - all->device);
    }
    return &all->device[all->net_device];
}

static bool set_net_nic(struct run_options *o, const char *name, const char *list,
                        struct error *err)
{
    struct property_item item;
    struct device_option *device = net_device(o, name, err);
    if (!device)
        return false;
    if (o->collected->net_nic)
        return error_set(err, ERROR_USAGE,
                         "-net nic is given twice: for a second network use -netdev and -device %s",
                         driver);
    o->collected->net_nic = true;
    while (*list) {
        if (!next_pair(&item, &list, name, err))
            return false;
        if (!is_card_key(item.key))
            return error_set(err, ERROR_USAGE,
                             "-%s nic: there is no `%.40s`: there are model, macaddr, name", name,
                             item.key);
        if (!set_card(o, device, name, &item, err))
            return false;
    }
    return true;
}

static bool set_net_user(struct run_options *o, const char *name, const char *list,
                         struct error *err)
{
    struct property_item item;
    struct device_option *device = net_device(o, name, err);
    struct netdev_option *n = device ? add_netdev(o, name, err) : NULL;
    if (!n)
        return false;
    if (o->collected->net_user)
        return error_set(
            err, ERROR_USAGE,
            "-net user is given twice: for a second network use -netdev and -device %s", driver);
    o->collected->net_user = true;
    device->netdev = (int)(n - o->collected->netdev);
    while (*list)
        if (!next_pair(&item, &list, name, err) || !set_network(n, name, &item, err))
            return false;
    return complete(n, name, err);
}

bool options_set_net(struct run_options *o, const char *name, const char *value, struct error *err)
{
    const char *list = value, *type = options_type(o, name, "type", &list, err);
    if (!type)
        return false;
    if (!strcmp(type, "nic"))
        return set_net_nic(o, name, list, err);
    if (!strcmp(type, "user"))
        return set_net_user(o, name, list, err);
    return !strcmp(type, "none") || only_user(name, type, err);
}

bool options_set_nic(struct run_options *o, const char *name, const char *value, struct error *err)
{
    struct property_item item;
    const char *list = value, *type = options_type(o, name, "type", &list, err);
    if (!type)
        return false;
    if (!strcmp(type, "none"))
        return true;
    if (strcmp(type, "user") != 0)
        return only_user(name, type, err);
    struct device_option *device = options_add_device(o, name, driver, VIRTIO_ID_NET, err);
    struct netdev_option *n = device ? add_netdev(o, name, err) : NULL;
    if (!n)
        return false;
    device->netdev = (int)(n - o->collected->netdev);
    while (*list) {
        if (!next_pair(&item, &list, name, err))
            return false;
        if (!(is_card_key(item.key) ? set_card(o, device, name, &item, err)
                                    : set_network(n, name, &item, err)))
            return false;
    }
    return complete(n, name, err);
}

/* ---- together ---- */

static bool settle_device(struct device_options *all, struct device_option *device,
                          struct error *err)
{
    if (device->netdev == OPTIONS_NONE && device - all->device == all->net_device)
        return error_set(err, ERROR_USAGE, "-net nic has nothing behind it: add -net user");
    if (device->netdev == OPTIONS_NONE && !device->netdev_id)
        return error_set(err, ERROR_USAGE, "-device %s: netdev=ID is missing", device->driver);
    if (device->netdev == OPTIONS_NONE)
        device->netdev = find_netdev(all, device->netdev_id);
    if (device->netdev == OPTIONS_NONE)
        return error_set(err, ERROR_USAGE,
                         "-device %s: there is no network `%.60s`: add -netdev user,id=%.60s",
                         device->driver, device->netdev_id, device->netdev_id);
    struct netdev_option *n = &all->netdev[device->netdev];
    if (n->used)
        return error_set(err, ERROR_USAGE,
                         "network `%.60s` is in two devices: give each a -netdev of its own",
                         n->id);
    n->used = true;
    return true;
}

bool options_settle_networks(struct run_options *o, struct error *err)
{
    struct device_options *all = o->collected;
    unsigned count = 0;
    for (unsigned i = 0; i < all->devices; i++) {
        struct device_option *device = &all->device[i];
        if (device->type != VIRTIO_ID_NET)
            continue;
        if (!settle_device(all, device, err))
            return false;
        set_default_mac(device, count++);
    }
    return true;
}
