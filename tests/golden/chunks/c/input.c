/* A growable ring buffer. */
#include <stdlib.h>
#include <string.h>

#define RING_MIN 16
#define RING_NEXT(r, i) (((i) + 1) % (r)->capacity)

/* The buffer itself. */
struct ring {
    size_t head, tail, capacity;
    void **slots;
};

typedef struct ring ring_t;
typedef int (*ring_visit)(void *slot);

enum ring_state { RING_OPEN, RING_CLOSED };

typedef struct {
    int fd;
} handle_t;

static const char *ring_names[] = { "open", "closed" };
int ring_count;

size_t ring_length(const ring_t *ring);

/*
 * Allocate a ring. The caller frees it.
 */
ring_t *ring_new(size_t capacity)
{
    ring_t *ring = malloc(sizeof *ring);
    if (!ring)
        return NULL;
    if (capacity < RING_MIN)
        capacity = RING_MIN;
    ring->head = ring->tail = 0;
    ring->capacity = capacity;
    ring->slots = calloc(capacity, sizeof *ring->slots);
    return ring;
}

#ifdef RING_DEBUG
static void ring_dump(ring_t *ring)
{
    (void)ring;
}
#endif

static inline int
ring_push(ring_t *ring, void *slot)
{
    ring->slots[ring->tail] = slot;
    ring->tail = RING_NEXT(ring, ring->tail);
    return 0;
}
