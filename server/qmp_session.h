/* One client of a control socket: requests in, exactly one reply each and in their order, events
 * between them.
 *
 * While a command waits or moves the machine, further requests are kept, some of them, and then no
 * more is read; x-backstep-interrupt is looked at and answered at once, and `stop` and `quit` end
 * the movements that the session has asked for before them. A client that does not read its replies
 * is given no more of them, and is dropped when events have piled up. */
#ifndef SERVER_QMP_SESSION_H
#define SERVER_QMP_SESSION_H

#include "server/conn.h"
#include "server/control.h"

#include <jansson.h>

struct qmp_session;

/* Sends the greeting. `slot` is set to NULL when the session is gone, and freed. */
struct qmp_session *qmp_session_new(struct control *control, struct conn *conn, bool pretty,
                                    struct qmp_session **slot);
/* Movement is free: go on with what waits for it. */
void qmp_session_turn(struct qmp_session *session);
/* When it has negotiated. */
void qmp_session_event(struct qmp_session *session, const json_t *event);
void qmp_session_negotiate(struct qmp_session *session);
bool qmp_session_negotiated(const struct qmp_session *session);
/* Once it has been sent what it is owed, or at once. */
void qmp_session_close(struct qmp_session *session);
void qmp_session_abort(struct qmp_session *session, const char *reason);

#endif
