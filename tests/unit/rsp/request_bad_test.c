#include "base/buffer.h"
#include "base/hash.h"
#include "tests/unit/rsp/parsed.h"

#include <criterion/criterion.h>

/* `texts` are payloads with a space after each. */
static void expect_kind(const char *texts, enum rsp_request_kind expected)
{
    for (size_t size; *texts; texts += size + 1) {
        size = strcspn(texts, " ");
        enum rsp_request_kind kind = kind_of(texts, size);
        cr_expect_eq(kind, expected, "%.*s is kind %d", (int)size, texts, kind);
    }
}

static const char unknown[] =
    "b bx bsx b9600 A v vCon vConta;c vFile:open:61,0,0 vCtrlC vStopped q qCx qP0 "
    "qL Q QNonStop:1 QThreadSuffixSupported QPassSignals:e;10 QProgramSignals:0 "
    "qHostInfo qProcessInfo qTfV QTinit jThreadsInfo _M1000,rwx i r t1,2 d \x01 "
    "qXfer:features:write:target.xml:0:00 qSearch:disk:0 Z5,0,4 z9,0,4 QAgent:1 "
    "qSupporte qSupportedx vRunner;61 vAttachWait;61 ";

static const char malformed[] =
    "?x g0 kk !! bs; bc:1 vCont?x vMustReplyEmpty; qC:1 qC, qfThreadInfo: "
    "qsThreadInfo,0 qOffsets; qTStatus: QStartNoAckMode:1 qSymbol qSymbol: "
    "qSymbol:1 "
    "G0 G0g p p-1 pg p100000000 p20;thread:1; P P20 P20= P20=0 P20=0x P=00 "
    "m m, m0 m0, m,4 m0,4, m0,4: m0;4 m-1,4 m10000000000000000,1 m0x10,4 x x0 x0,g "
    "M0,1 M0,1: M0,1:0 M0,1:000 M0,1:0g M0,2:00 M0,ffffffffffffffff:00 "
    "M0,8000000000000000: X0,1: X0,1 X0,1:ab X0,0:a X0,ffffffffffffffff:a "
    "cx c-1 c0; C Cg C100 C05; C05:0 sx S S05;g S1ff vCont vCont; vCont;x vCont;c; "
    "vCont;c: vCont;c:x vCont;c1 vCont;C vCont;C:1 vCont;C100 vCont;r vCont;r1 "
    "vCont;r1, vCont;r,2 vCont;s:1:2 vCont:c vCont;s:p1. vCont;s:p vCont;s:p.1 "
    "vCont;s:p-1.2 vCont;s:-2 vCont;s:- vCont;s:80000000 vCont;s:-1f "
    "vKill vKill; vKill;x vKill:1 vAttach vAttach; vAttach;1; vRun:61 vRun;6 "
    "vRun;61;3 vRun;6g vRun;61;;3 D; D1 D;g D;1; "
    "Z Z0 Z0, Z0,1 Z0,1, Z0,1,4; Z0,1,4;X Z0,1,4;X1 Z0,1,4;X1, Z0,1,4;X1,2 "
    "Z0,1,4;X2,27 Z0,1,4;X1,27; Z0,1,4;X1,27X Z0,1,4;X1,277 Z0,1,4;X1,2g "
    "Z0,1,4;Xffffffffffffffff,27 Z0,1,4;X8000000000000000, Z0,1,4X1,27 Z0,1,4;cmds "
    "Z0,1,4;cmds: Z0,1,4;cmds:0 Z0,1,4;cmds:0, Z0,1,4;cmds:2,X1,27 "
    "Z0,1,4;cmds:0,X1 Z0,1,4;cmds:0X1,27 Z0,1,4;cmd:0,X1,27 Z0,1,4;Y1,27 "
    "Z2,1,4;X1,27 Z3,1,4;cmds:0,X1,27 z0,1,4;X1,27 z0,1 Zg,1,4 Z0;1;4 Z-1,1,4 "
    "H Hg Hx1 Hgx Hc-2 Hc- Hgp1.2.3 T Tx T1; Tp1.x qThreadExtraInfo "
    "qThreadExtraInfo, qThreadExtraInfo:1 qAttached: qAttached:x qAttached,1 "
    "qSupported;a+ qSupported, qRcmd qRcmd:67 qRcmd,6 qRcmd,6g qXfer qXfer: "
    "qXfer:features qXfer:features:read qXfer:features:read: qXfer:features:read:a "
    "qXfer:features:read:a: qXfer:features:read:a:0 qXfer:features:read:a:0, "
    "qXfer:features:read:a:0,1,2 qXfer:features:read:a:0,1: qXfer;features qSearch "
    "qSearch:memory qSearch:memory: qSearch:memory:0;1 qSearch:memory:0;1; "
    "qSearch:memory:0,1;a qCRC qCRC: qCRC:0 qCRC:0, qCRC,0,1 qCRC:0,1, ";

Test(rsp_request_bad, unknown)
{
    expect_kind(unknown, RSP_UNKNOWN);
    cr_expect_eq(kind_of("", 0), RSP_UNKNOWN);
}

Test(rsp_request_bad, malformed)
{
    expect_kind(malformed, RSP_MALFORMED);
    cr_expect_eq(kind_of("Hg1 ", 4), RSP_MALFORMED);
}

/* `first`, then `next` until there are `count` in all. */
static enum rsp_request_kind kind_of_list(const char *first, const char *next, size_t count)
{
    struct buffer text = {0};
    buffer_append_string(&text, first);
    for (size_t i = 0; i < count; i++)
        buffer_append_string(&text, next);
    enum rsp_request_kind kind = kind_of(text.data, text.size);
    buffer_fini(&text);
    return kind;
}

Test(rsp_request_bad, lists_are_bounded)
{
    cr_expect_eq(kind_of_list("vCont", ";c", RSP_ACTIONS_MAX), RSP_VCONT);
    cr_expect_eq(kind_of_list("vCont", ";c", RSP_ACTIONS_MAX + 1), RSP_MALFORMED);
    cr_expect_eq(kind_of_list("vRun;", ";31", RSP_ARGUMENTS_MAX), RSP_VRUN);
    cr_expect_eq(kind_of_list("vRun;", ";31", RSP_ARGUMENTS_MAX + 1), RSP_MALFORMED);
    cr_expect_eq(kind_of_list("Z0,0,4;", "X1,27", RSP_BYTECODES_MAX), RSP_INSERT_POINT);
    cr_expect_eq(kind_of_list("Z0,0,4;", "X1,27", RSP_BYTECODES_MAX + 1), RSP_MALFORMED);
    cr_expect_eq(kind_of_list("Z0,0,4", ";X1,27", RSP_BYTECODES_MAX + 1), RSP_MALFORMED);
    cr_expect_eq(kind_of_list("Z0,0,4;cmds:0,", "X1,27", RSP_BYTECODES_MAX), RSP_INSERT_POINT);
    cr_expect_eq(kind_of_list("Z0,0,4;cmds:0,", "X1,27", RSP_BYTECODES_MAX + 1), RSP_MALFORMED);
}

Test(rsp_request_bad, a_nul_is_a_byte_like_others)
{
    cr_expect_eq(kind_of("g\0", 2), RSP_MALFORMED);
    cr_expect_eq(kind_of("\0g", 2), RSP_UNKNOWN);
    cr_expect_eq(kind_of("bs\0", 3), RSP_MALFORMED);
    cr_expect_eq(kind_of("m0\0,4", 5), RSP_MALFORMED);
}

/* Every prefix, and every payload with one byte changed, is parsed without a byte too far, and is
 * no other packet by accident: a prefix of a fixed-form packet is never the packet. */
Test(rsp_request_bad, truncated_and_damaged)
{
    static const char *const texts[] = {
        "G0011",
        "P20=0011",
        "m80000000,40",
        "M80000000,2:0011",
        "X80000000,3:abc",
        "C05;80000000",
        "vCont;s:p1.2;r80000000,80000010:1;c",
        "vRun;61;3132",
        "Z0,80000000,4;X2,2227X1,27",
        "Z1,80000000,4;X1,27;cmds:0,X2,2227",
        "Hgp1.2",
        "qRcmd,6768",
        "qSearch:memory:0;10;abc",
        "qXfer:features:read:target.xml:0,ffb",
        "qSupported:multiprocess+;swbreak+",
    };
    uint64_t seed = 3;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t size = strlen(texts[i]);
        enum rsp_request_kind whole = kind_of(texts[i], size);
        cr_expect_neq(whole, RSP_MALFORMED, "%s", texts[i]);
        for (size_t cut = 1; cut < size; cut++) {
            enum rsp_request_kind kind = kind_of(texts[i], cut);
            cr_expect(kind == whole || kind == RSP_MALFORMED || kind == RSP_UNKNOWN,
                      "%.*s is kind %d", (int)cut, texts[i], kind);
        }
        for (int round = 0; round < 500; round++) {
            char damaged[64];
            memcpy(damaged, texts[i], size);
            seed = hash_mix(seed + 1);
            damaged[seed % size] = (char)(seed >> 32);
            kind_of(damaged, size);
        }
    }
}
