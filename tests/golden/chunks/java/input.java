package org.example.cache;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A cache that forgets the eldest entry.
 */
@SuppressWarnings("serial")
public class LruCache<K, V> extends LinkedHashMap<K, V> {
    private static final int DEFAULT_LIMIT = 100;
    private final int limit;

    public LruCache(int limit) {
        super(16, 0.75f, true);
        this.limit = limit;
    }

    /** Tell whether the eldest entry has to go. */
    @Override
    protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
        if (size() > limit) {
            Listener listener = Listeners.current();
            if (listener != null) {
                listener.evicted(eldest.getKey());
            }
            Metrics.count("evicted");
            Metrics.gauge("size", size());
            return true;
        }
        return false;
    }

    public interface Listener {
        void evicted(Object key);
    }

    enum Policy { LRU, FIFO }

    static class Builder<K, V> {
        LruCache<K, V> build() {
            return new LruCache<>(DEFAULT_LIMIT);
        }
    }
}

record Pair(String left, String right) {
    Pair {
        left = left.trim();
    }
}

@interface Cached {
    int seconds() default 60;
}
