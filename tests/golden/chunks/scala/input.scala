package com.example.stream

import scala.concurrent.Future

/** A source of elements. */
trait Source[+A] {
  def next(): Option[A]
  type Mat
}

case class Element[A](value: A, offset: Long)

sealed abstract class Mode
object Mode {
  case object Live extends Mode
  val default: Mode = Live
}

/**
 * Reads from memory.
 */
class MemorySource[A](items: List[A]) extends Source[A] {
  private var rest = items
  val size: Int = items.size

  override def next(): Option[A] = rest match {
    case head :: tail =>
      rest = tail
      Some(head)
    case Nil =>
      None
  }

  def drain(limit: Int): List[A] = {
    val buffer = List.newBuilder[A]
    var taken = 0
    while (taken < limit) {
      next() match {
        case Some(item) =>
          buffer += item
          taken += 1
        case None =>
          taken = limit
      }
    }
    buffer.result()
  }
}

object Source {
  def apply[A](items: A*): Source[A] = new MemorySource(items.toList)
  implicit def listToSource[A](items: List[A]): Source[A] = new MemorySource(items)
}

type Bytes = Array[Byte]

enum Color:
  case Red, Green

given ordering: Ordering[Mode] with
  def compare(a: Mode, b: Mode): Int = 0
