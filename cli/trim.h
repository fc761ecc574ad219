/* `backstep trim`: a part of a recording as one of its own. */
#ifndef CLI_TRIM_H
#define CLI_TRIM_H

/* argv[0] is "trim"; returns the exit status: 0, or 2 when nothing was written. */
int trim_main(int argc, char **argv);

#endif
