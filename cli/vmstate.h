/* `backstep vmstate`: the machine's state description as JSON, and what would break between two. */
#ifndef CLI_VMSTATE_H
#define CLI_VMSTATE_H

/* Exit status of `check`: the number of findings, at most this. */
enum { VMSTATE_STATUS_MOST = 255 };

int vmstate_main(int argc, char **argv);

#endif
