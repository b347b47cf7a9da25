//! Numbers in the order of what they need, or the shortest circle among them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// The numbers `0..needs.len()` in an order in which each comes after all that it needs, the smallest first where several
/// could come next; or a circle, each before the next, the first again at the end.
pub fn order(needs: &[BTreeSet<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let graph = graph(needs);
    let mut waiting_for: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..needs.len()).filter(|&at| waiting_for[at] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(at)) = ready.pop() {
        order.push(at);
        for later in graph.neighbors(NodeIndex::new(at)) {
            waiting_for[later.index()] -= 1;
            if waiting_for[later.index()] == 0 {
                ready.push(Reverse(later.index()));
            }
        }
    }
    if order.len() == needs.len() { Ok(order) } else { Err(circle(&graph)) }
}

/// The graph with an edge from each number to each that needs it.
fn graph(needs: &[BTreeSet<usize>]) -> DiGraph<(), ()> {
    let mut graph = DiGraph::with_capacity(needs.len(), needs.iter().map(BTreeSet::len).sum());
    needs.iter().for_each(|_| {
        graph.add_node(());
    });
    for (at, needs) in needs.iter().enumerate() {
        for &need in needs {
            graph.add_edge(NodeIndex::new(need), NodeIndex::new(at), ());
        }
    }
    graph
}

/// The shortest circle through the smallest number that is in one.
fn circle(graph: &DiGraph<(), ()>) -> Vec<usize> {
    let in_circle = |component: &Vec<NodeIndex>| {
        component.len() > 1 || component.iter().any(|&node| graph.contains_edge(node, node))
    };
    let Some(start) = tarjan_scc(graph).into_iter().filter(in_circle).flatten().min() else {
        return Vec::new();
    };
    let mut came_from: Vec<Option<NodeIndex>> = vec![None; graph.node_count()];
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        let mut later: Vec<NodeIndex> = graph.neighbors(node).collect();
        later.sort();
        for next in later {
            if next == start {
                return path_back(&came_from, start, node);
            }
            if came_from[next.index()].is_none() {
                came_from[next.index()] = Some(node);
                open.push_back(next);
            }
        }
    }
    Vec::new()
}

/// `start`, then the way to `last`, then `start` again.
fn path_back(came_from: &[Option<NodeIndex>], start: NodeIndex, last: NodeIndex) -> Vec<usize> {
    let mut path = vec![start.index()];
    let mut here = last;
    while here != start {
        path.push(here.index());
        let Some(before) = came_from[here.index()] else { break };
        here = before;
    }
    path.push(start.index());
    path.reverse();
    path
}
