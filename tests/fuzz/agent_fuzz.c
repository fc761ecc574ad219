/* Agent expressions of any bytes, at a machine in reset: evaluation ends, prints a bounded text,
 * changes nothing of the machine, and fails for no other reason than bad code says; what is checked
 * beforehand has no fault that only shows where it stands in the code. */
#include "timeline/agent.h"

#include "base/check.h"
#include "devices/riscv_virt.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ICOUNT = 9999 };

static struct timeline *tl;
static struct machine *m;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct timeline_options options = {.warp = true};
    const struct riscv_virt_options board = {
        .ram_size = 1 << 20, .harts = 1, .shift = 3, .bios = "none"};
    struct error err = ERROR_INIT;
    (void)argc;
    (void)argv;
    struct riscv_virt *virt = riscv_virt_new(&board, &err);
    check(virt, "%s", err.message);
    m = riscv_virt_machine(virt);
    static const char text[] = "text in memory";
    memcpy(ram_at(&m->ram, 0x80000000), text, sizeof text);
    tl = timeline_new(m, &options);
    return 0;
}

static uint64_t digest(void)
{
    struct machine_digest d;
    machine_digest(m, &d);
    return d.core ^ d.cpus ^ d.devices;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct agent_code code = {data, size};
    const struct hit hit = {.kinds = HIT_EXECUTE, .address = m->cpu[0]->ops->pc(m->cpu[0])};
    struct error err = ERROR_INIT, fault = ERROR_INIT;
    struct buffer out = {0};
    uint64_t value, before = digest();
    bool whole = agent_check(&code, &err);
    check(whole == !err.code && whole == !err.message[0], "%s", err.message);
    bool good = agent_run(&code, ICOUNT, tl, &hit, &value, &out, &fault);
    check(good == !fault.code, "%s", fault.message);
    check(out.size <= 3 * AGENT_TEXT, "%zu bytes", out.size);
    check(good || !whole || !strstr(fault.message, "not known"), "%s", fault.message);

    struct condition condition = agent_condition(&code, 1, ICOUNT);
    struct point_action action = agent_action(&code, 1, ICOUNT);
    struct buffer again = {0};
    bool holds = condition.holds(condition.ctx, tl, &hit);
    check(good || holds, "it fails and does not hold");
    action.run(action.ctx, tl, &hit, &again);
    check(again.size >= out.size && (!out.size || !memcmp(again.data, out.data, out.size)),
          "other text");
    condition.free(condition.ctx);
    action.free(action.ctx);
    buffer_fini(&out);
    buffer_fini(&again);
    check(digest() == before, "the machine is another");
    return 0;
}
