#include "cli/vmstate_renames.h"

#include <stddef.h>
#include <string.h>

enum { NAMES = 16 };

static const char *const section[][2] = {
    {"ICH9 LPC", "ICH9-LPC"},
    {"e1000-82540em", "e1000"},
};

/* Any two names of a row match in that description. */
static const struct {
    const char *description;
    const char *name[NAMES];
} field[] = {
    {"apic", {"timer", "timer_expiry"}},
    {"e1000", {"dev", "parent_obj"}},
    {"ehci", {"dev", "pcidev"}},
    {"hpet", {"num_timers", "num_timers_save"}},
    {"I440FX", {"dev", "parent_obj"}},
    {"ich9_ahci", {"card", "parent_obj"}},
    {"ich9-ahci", {"ahci", "ich9_ahci"}},
    {"ioh3420", {"PCIDevice", "PCIEDevice"}},
    {"ioh-3240-express-root-port",
     {"port.br.dev", "parent_obj.parent_obj.parent_obj", "port.br.dev.exp.aer_log",
      "parent_obj.parent_obj.parent_obj.exp.aer_log"}},
    {"cirrus_vga", {"hw_cursor_x", "vga.hw_cursor_x", "hw_cursor_y", "vga.hw_cursor_y"}},
    {"lsiscsi", {"dev", "parent_obj"}},
    {"mch", {"d", "parent_obj"}},
    {"pci_bridge", {"bridge.dev", "parent_obj", "bridge.dev.shpc", "shpc"}},
    {"pcnet", {"pci_dev", "parent_obj"}},
    {"PIIX3", {"pci_irq_levels", "pci_irq_levels_vmstate"}},
    {"piix4_pm",
     {"dev", "parent_obj", "pci0_status", "acpi_pci_hotplug.acpi_pcihp_pci_status[0x0]", "pm1a.sts",
      "ar.pm1.evt.sts", "pm1a.en", "ar.pm1.evt.en", "pm1_cnt.cnt", "ar.pm1.cnt.cnt", "tmr.timer",
      "ar.tmr.timer", "tmr.overflow_time", "ar.tmr.overflow_time", "gpe", "ar.gpe"}},
    {"rtl8139", {"dev", "parent_obj"}},
    {"qxl", {"num_surfaces", "ssd.num_surfaces"}},
    {"usb-ccid", {"abProtocolDataStructure", "abProtocolDataStructure.data"}},
    {"usb-host", {"dev", "parent_obj"}},
    {"usb-mouse", {"usb-ptr-queue", "HIDPointerEventQueue"}},
    {"usb-tablet", {"usb-ptr-queue", "HIDPointerEventQueue"}},
    {"vmware_vga", {"card", "parent_obj"}},
    {"vmware_vga_internal", {"depth", "new_depth"}},
    {"xhci", {"pci_dev", "parent_obj"}},
    {"x3130-upstream", {"PCIDevice", "PCIEDevice"}},
    {"xio3130-express-downstream-port",
     {"port.br.dev", "parent_obj.parent_obj.parent_obj", "port.br.dev.exp.aer_log",
      "parent_obj.parent_obj.parent_obj.exp.aer_log"}},
    {"xio3130-downstream", {"PCIDevice", "PCIEDevice"}},
    {"xio3130-express-upstream-port",
     {"br.dev", "parent_obj.parent_obj", "br.dev.exp.aer_log",
      "parent_obj.parent_obj.exp.aer_log"}},
    {"spapr_pci",
     {"dma_liobn[0]", "mig_liobn", "mem_win_addr", "mig_mem_win_addr", "mem_win_size",
      "mig_mem_win_size", "io_win_addr", "mig_io_win_addr", "io_win_size", "mig_io_win_size"}},
};

const char *vmstate_section_renamed(const char *name)
{
    for (size_t i = 0; i < sizeof section / sizeof *section; i++)
        for (unsigned side = 0; side < 2; side++)
            if (!strcmp(section[i][side], name))
                return section[i][!side];
    return NULL;
}

static bool has_name(const char *const names[NAMES], const char *name)
{
    for (unsigned i = 0; i < NAMES && names[i]; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

bool vmstate_same_field(const char *description, const char *a, const char *b)
{
    if (!strcmp(a, b))
        return true;
    for (size_t i = 0; i < sizeof field / sizeof *field; i++)
        if (!strcmp(field[i].description, description))
            return has_name(field[i].name, a) && has_name(field[i].name, b);
    return false;
}
