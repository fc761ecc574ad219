/* `backstep verify`: replays a recording and compares every digest. */
#ifndef CLI_VERIFY_H
#define CLI_VERIFY_H

/* argv[0] is "verify"; returns the exit status: 0 equal, 1 it differs or is damaged, 2 it cannot be
 * opened. */
int verify_main(int argc, char **argv);

#endif
