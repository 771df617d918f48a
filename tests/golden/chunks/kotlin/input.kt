package org.example.inventory

import kotlinx.coroutines.flow.Flow

const val MAX_ITEMS = 50

typealias ItemId = String

/** One thing on a shelf. */
data class Item(val id: ItemId, val count: Int)

interface Shelf {
    val items: Flow<Item>
    suspend fun add(item: Item)
}

enum class Place { FRONT, BACK }

sealed class Result {
    object Empty : Result()
    data class Found(val item: Item) : Result()
}

/**
 * A shelf in memory.
 */
@Service
class MemoryShelf(private val limit: Int = MAX_ITEMS) : Shelf {
    private val held = mutableListOf<Item>()

    override val items: Flow<Item>
        get() = held.asFlow()

    @Throws(IllegalStateException::class)
    override suspend fun add(item: Item) {
        check(held.size < limit) { "full" }
        val existing = held.indexOfFirst { it.id == item.id }
        if (existing >= 0) {
            val old = held[existing]
            held[existing] = old.copy(count = old.count + item.count)
            log.info("merged ${item.id}")
        } else {
            held += item
        }
        listeners.forEach { it.added(item) }
    }

    companion object {
        fun empty() = MemoryShelf(0)
    }
}

object Registry {
    val shelves = mutableMapOf<String, Shelf>()
}

fun String.toItem(): Item = Item(this, 1)

fun main() {
    println("a".toItem())
}
