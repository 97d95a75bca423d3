/* settle.c - read your writes: an answer is held until the followers that the op names have read past its event.
 *
 * "Have read from a cursor at or above it" says that they committed what came before. Only live followers count (they asked within 2 s),
 * and none for longer than 1 s: after that, what an edge caches under its lease is void by itself. A process that has been owner for less
 * than 2 s cannot know who follows and waits the full second. */
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"

bool settle_follower_is (const char *listed, const char *follower)
{
    size_t length = strlen (listed);
    return strncmp (listed, follower, length) == 0 &&
           (!follower[length] || follower[length] == '#');
}

/* Have all that count passed? */
static bool has_settled (const journal_t *j, const ask_t *ask, int64_t now)
{
    for (size_t i = 0; i < j->follower_count; i++) {
        const follower_t *f = &j->followers[i];
        bool live = now - f->asked <= FOLLOWER_LIVE_MS || now <= f->until;
        if (!live || f->position >= ask->settle)
            continue;
        for (const char *const *name = ask->op->settles; *name; name++)
            if (settle_follower_is (*name, f->name))
                return false;
    }
    return true;
}

void settle_scan (svc_t *svc, int64_t now)
{
    journal_t *j = &svc->journal;
    bool knows = now - j->since >= FOLLOWER_LIVE_MS;
    ask_t *kept = NULL, **end = &kept;
    while (j->held) {
        ask_t *ask = j->held;
        j->held = (ask_t *) ask->work.item.next;
        ask->work.item.next = NULL;
        if (ask->until <= now || (knows && has_settled (j, ask, now))) {
            ask_release (ask);
        } else {
            *end = ask;
            end = (ask_t **) (void *) &ask->work.item.next;
        }
    }
    j->held = kept;
}

void settle_hold (svc_t *svc, ask_t *ask)
{
    journal_t *j = &svc->journal;
    if (!ask->op || !ask->op->settles || !ask->settle || ask->failed) {
        ask_release (ask);
        return;
    }
    int64_t now = clock_mono_ms ();
    ask->until = now + SETTLE_MS;
    pthread_mutex_lock (&j->lock);
    if (j->closed) {
        pthread_mutex_unlock (&j->lock);
        ask_release (ask);
        return;
    }
    ask->work.item.next = j->held ? &j->held->work.item : NULL;
    j->held = ask;
    settle_scan (svc, now);
    pthread_mutex_unlock (&j->lock);
}
