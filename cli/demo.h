/* `backstep demo`: a guest with a planted bug runs to its crash, and gdb finds the culprit. */
#ifndef CLI_DEMO_H
#define CLI_DEMO_H

/* argv[0] is "demo"; returns the program's exit status: 0 only if the culprit was found. */
int demo_main(int argc, char **argv);

#endif
