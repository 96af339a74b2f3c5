/*
 * session: one child's life, which is one call's (or what is left of a call
 * after its last child crashed).
 *
 * Messages come over a SOCK_SEQPACKET socket. From lethe: one byte 'E' for the
 * end of an utterance; anything of even length is PCM16 at 16 kHz. To lethe:
 *
 *     H                             the child is ready
 *     A                             the last PCM message was heard and wiped
 *     P START END MEASURES TEXT     partial
 *     F START END MEASURES TEXT     final, one for each E; TEXT may be empty
 *     C START END MEASURES TEXT     final of an utterance that had to be cut
 *
 * START and END count frames of 10 ms since the utterance's first sample.
 * MEASURES are SCORE (acoustic, mean per frame of a word, 0 is best) and MARGIN
 * (how much better, per frame, TEXT fits than OWN). TEXT is followed by a tab
 * and OWN: what was heard if nothing but the vocabulary can have been said. It
 * is empty in a partial, and without a vocabulary.
 */
#ifndef LETHE_SESSION_H
#define LETHE_SESSION_H

#include "models.h"

/* session_run never returns: the end of the process is the end of whatever it
 * knew. vocabulary is an index, or -1 for open speech. */
_Noreturn void session_run(struct models *m, int band, int vocabulary, int fd);

#endif
