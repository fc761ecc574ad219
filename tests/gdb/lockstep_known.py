"""Where QEMU 7.2 and this machine differ and both may, or QEMU is wrong: each with its reason.

Two kinds: what random_code.py never generates, because the difference would spread through the
guest (NOT_GENERATED, for the reader), and what is accepted when two states are compared (RULES).
"""

RAM = (0x80000000, 0x88000000)

NOT_GENERATED = {
    "cbo.zero, cbo.clean, cbo.flush, cbo.inval": "QEMU 7.2 has no Zicbom and Zicboz",
    "values of cycle, time, instret, mip, sip": "depend on the host's clock in QEMU",
    "menvcfg, senvcfg, mcountinhibit, mhpmevent": "fewer implemented bits (WARL) on one side; "
                                                  "menvcfg.ADUE is younger than QEMU 7.2",
    "mstatus.FS other than off and dirty": "the spec lets an implementation be imprecise about "
                                           "which instructions make it dirty",
    "mstatus.MPP = 2": "QEMU 7.2 stores the reserved mode",
    "stores between LR and SC, SC of another size or place": "when a reservation is lost is "
                                                             "implementation-defined; QEMU "
                                                             "compares the value instead",
    "bit 0 in writes to mepc and sepc": "QEMU 7.2 keeps it",
    "SC without reservation where a store faults": "it may fail or fault",
    "stores that cross from memory to where none is": "QEMU 7.2 stores the first part",
    "an access that crosses into a PMP region": "QEMU 7.2 checks all of it at once, here each page "
                                                "by itself",
    "traps while mstatus.MPRV is set, before its next use": "QEMU 7.2 keeps translations made with "
                                                            "the old MPP",
    "delegating only some of the causes of loads and stores": "see amo_cause",
    "ctzw of a value whose low half is 0": "QEMU 7.2 counts on into the high half",
    "misaligned AMO, LR, SC": "may trap or work; QEMU 7.2 does not check LR",
    "WFI outside U-mode": "nothing would wake the hart",
    "sfence.vma left out after a change of a page table": "translation here is coherent, QEMU "
                                                          "keeps the old one",
    "a store into code without fence.i": "the same for code in the running block",
}


def breakpoint_tval(word, cause, ours, theirs):
    """xtval of ebreak: the pc here (the spec allows it or zero), 0 in QEMU 7.2"""
    return (word == 0x00100073 or word & 0xffff == 0x9002) and cause == 3 and theirs == 0


def is_load(word):
    return word & 0x7f in (0x03, 0x07) or word & 3 in (0, 2)


def split_load_tval(word, cause, ours, theirs):
    """xtval of a misaligned load: QEMU 7.2 tells the address of its aligned half"""
    return is_load(word) and cause in (5, 13) and theirs in (ours & ~1, ours & ~3, ours & ~7)


def split_load_cause(word, cause, ours, theirs):
    """xcause of a load from no memory into a page that faults: here both are translated first"""
    return is_load(word) and (ours, theirs) == (13, 5)


def split_load_second_tval(word, cause, ours, theirs):
    """xtval of such a load: here the second page"""
    return is_load(word) and cause == 13 and not ours & 0xfff and 0 < ours - theirs <= 8


def amo_cause(word, cause, ours, theirs):
    """xcause of an AMO: QEMU 7.2 without MTTCG makes it a load and a store, whose load faults"""
    return word & 0x7f == 0x2f and ours in (7, 15) and theirs in (5, 13)


RULES = {"tval": [breakpoint_tval, split_load_tval, split_load_second_tval],
         "cause": [amo_cause, split_load_cause]}


def reason(word, state, name, ours, theirs):
    """Why register `name` may differ after the step that executed the instruction `word` and led to
    `state` (ours, name -> value), or None. word None: after more than one step, no difference is
    accepted."""
    if word is None or name[0] not in "ms":
        return None
    for rule in RULES.get(name[1:], ()):
        if rule(word, state[name[0] + "cause"], ours, theirs):
            return rule.__doc__
    return None


PTE_W, PTE_A, PTE_D = 1 << 2, 1 << 6, 1 << 7


def entry_reason(ours, theirs, protected):
    """Why a page table entry may differ, or None. AMO: QEMU's load comes first. Without write
    permission it sets A before the store faults; where no memory is or PMP forbids reads, it faults
    before D is set. protected: PMP forbids something."""
    readable = RAM[0] <= ours >> 10 << 12 < RAM[1] and not protected
    if theirs == ours | PTE_A and not ours & PTE_W or ours == theirs | PTE_D and not readable:
        return "AMO as load and store"
    return None
