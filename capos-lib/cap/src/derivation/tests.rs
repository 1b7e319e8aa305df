//! Families, and what revoking one of their members does.

use super::forest::Forest;
use super::{MOST_ANCESTORS, Next, NodeId, Origin, Place, TreeError};
use capos_abi::CapId;
use proptest::prelude::{
    ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

fn place(n: u64) -> Place {
    Place { table: n, cap: CapId::new(n as u32, 1) }
}

fn forest() -> Forest {
    Forest::new(1000)
}

/// Revokes to the end; gives the victims in order and the number of steps.
fn revoke(forest: &mut Forest, node: NodeId) -> (Vec<u64>, usize) {
    assert!(forest.begin(node));
    let (mut victims, mut steps) = (Vec::new(), 0);
    loop {
        steps += 1;
        match forest.revoke(node) {
            Next::Kill { place, node } => {
                victims.push(place.table);
                forest.released(node);
            }
            Next::Look(_) => {}
            Next::Done => {
                forest.end(node);
                return (victims, steps);
            }
        }
    }
}

/// A chain of `length` generations; the first is a root.
fn chain(forest: &mut Forest, length: u64) -> Vec<NodeId> {
    let mut nodes = Vec::from([forest.root(place(0))]);
    for n in 1..length {
        nodes.push(forest.derive(*nodes.last().unwrap(), place(n)).unwrap());
    }
    nodes
}

fn alive(forest: &Forest, node: NodeId) -> bool {
    forest.tree().place(node).is_some()
}

#[test]
fn a_node_knows_its_place_and_follows_a_move() {
    let mut forest = forest();
    let node = forest.root(place(1));
    assert_eq!(forest.tree().place(node), Some(place(1)));
    forest.moved(node, place(2));
    assert_eq!(forest.tree().place(node), Some(place(2)));
}

#[test]
fn a_child_is_of_its_parent_s_family() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 3);
    let stranger = forest.root(place(9));
    let family = |node| forest.tree().family(node);
    assert!(nodes.iter().all(|node| family(*node) == family(nodes[0])));
    assert_ne!(family(stranger), family(nodes[0]));
}

#[test]
fn an_origin_is_what_is_left_of_those_above() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 3);
    let other = forest.derive(nodes[1], place(7)).unwrap();
    let origin = |forest: &Forest, node, most| forest.tree().origin(node, most);
    assert_eq!(origin(&forest, nodes[0], 9), Origin::Nothing);
    assert_eq!(origin(&forest, nodes[2], 0), Origin::From(place(1)));
    // It holds two others together, and what is above it counts.
    forest.released(nodes[1]);
    assert_eq!(origin(&forest, nodes[2], 9), Origin::From(place(0)));
    assert_eq!(origin(&forest, other, 1), Origin::From(place(0)));
    assert_eq!(origin(&forest, other, 0), Origin::Gone, "it looks no further");
    let third = forest.derive(nodes[0], place(8)).unwrap();
    forest.released(nodes[0]);
    assert_eq!(origin(&forest, other, 9), Origin::Gone);
    assert_eq!(origin(&forest, third, 9), Origin::Gone);
    forest.released(third);
    forest.released(other);
    assert_eq!(origin(&forest, nodes[2], 9), Origin::Nothing, "the last of a family is its root");
}

#[test]
fn a_released_node_is_unused() {
    let mut forest = forest();
    let node = forest.root(place(1));
    forest.released(node);
    assert_eq!((forest.tree().place(node), forest.len()), (None, 0));
}

#[test]
fn revoking_kills_all_generations_below_and_nothing_else() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 6);
    let aside = forest.derive(nodes[1], place(100)).unwrap();
    let (mut victims, _) = revoke(&mut forest, nodes[2]);
    victims.sort_unstable();
    assert_eq!(victims, [3, 4, 5]);
    assert!(nodes[..3].iter().chain([&aside]).all(|node| alive(&forest, *node)));
    assert_eq!(forest.len(), 4);
}

#[test]
fn revoking_a_leaf_does_nothing() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 2);
    assert_eq!(revoke(&mut forest, nodes[1]), (Vec::new(), 1));
    assert_eq!(forest.len(), 2);
}

#[test]
fn ancestors_die_before_descendants() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 5);
    assert_eq!(revoke(&mut forest, nodes[0]).0, [1, 2, 3, 4]);
}

#[test]
fn a_release_in_the_middle_does_not_cut_off_descendants() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 4);
    forest.released(nodes[1]);
    forest.released(nodes[2]);
    assert_eq!(forest.len(), 2);
    assert_eq!(revoke(&mut forest, nodes[0]).0, [3]);
}

#[test]
fn a_released_parent_of_two_stays_until_one_is_left() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 2);
    let left = forest.derive(nodes[1], place(10)).unwrap();
    let right = forest.derive(nodes[1], place(11)).unwrap();
    forest.released(nodes[1]);
    assert_eq!(forest.len(), 4, "dead, but holding two together");
    forest.released(left);
    assert_eq!(forest.len(), 2);
    assert_eq!(revoke(&mut forest, nodes[0]).0, [11]);
    assert!(!alive(&forest, right));
}

#[test]
fn copying_on_and_releasing_for_ever_does_not_grow_the_tree() {
    let mut forest = Forest::new(3);
    let root = forest.root(place(0));
    let mut last = forest.derive(root, place(1)).unwrap();
    for n in 0..if cfg!(miri) { 50 } else { 1000 } {
        let next = forest.derive(last, place(n + 1)).unwrap();
        forest.released(last);
        last = next;
        assert_eq!(forest.len(), 2);
    }
}

#[test]
fn a_released_root_leaves_its_children_alone() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 3);
    forest.released(nodes[0]);
    assert_eq!(revoke(&mut forest, nodes[1]).0, [2]);
}

#[test]
fn revocation_takes_at_most_three_steps_for_each_node() {
    let mut forest = forest();
    let root = forest.root(place(0));
    let mut nodes = Vec::from([root]);
    let members = if cfg!(miri) { 50 } else { 500 };
    for n in 1..members {
        let parent = nodes[(n as usize * 7919) % nodes.len()];
        nodes.push(forest.derive(parent, place(n)).unwrap());
    }
    let (victims, steps) = revoke(&mut forest, root);
    assert_eq!((victims.len(), forest.len()), (members as usize - 1, 1));
    assert!(steps <= 3 * members as usize, "{steps}");
}

#[test]
fn nothing_is_derived_below_a_revocation() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 5);
    let stranger = forest.root(place(50));
    assert!(forest.begin(nodes[1]));
    for node in &nodes[1..] {
        assert_eq!(forest.derive(*node, place(9)), Err(TreeError::Revoking));
    }
    assert!(forest.derive(nodes[0], place(9)).is_ok(), "above");
    assert!(forest.derive(stranger, place(9)).is_ok(), "elsewhere");
    forest.end(nodes[1]);
    assert!(forest.derive(nodes[1], place(9)).is_ok(), "afterwards");
}

#[test]
fn during_a_revocation_what_lies_very_deep_has_to_wait() {
    let mut forest = forest();
    let deep = chain(&mut forest, MOST_ANCESTORS as u64 + 1);
    let elsewhere = forest.root(place(1));
    assert!(forest.begin(elsewhere));
    assert!(forest.derive(deep[MOST_ANCESTORS - 1], place(1)).is_ok());
    assert_eq!(forest.derive(deep[MOST_ANCESTORS], place(1)), Err(TreeError::Revoking));
    forest.end(elsewhere);
    assert!(forest.derive(deep[MOST_ANCESTORS], place(1)).is_ok());
}

#[test]
fn a_revocation_ends_when_its_capability_moves_or_goes() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 3);
    assert!(forest.begin(nodes[1]) && !forest.begin(nodes[1]), "begun once");
    forest.moved(nodes[1], place(7));
    assert!(forest.derive(nodes[2], place(8)).is_ok());
    assert!(forest.begin(nodes[1]));
    forest.released(nodes[1]);
    assert_eq!(forest.revoking, 0);
    assert!(forest.derive(nodes[2], place(9)).is_ok());
}

#[derive(Clone, Debug)]
enum Step {
    Root,
    Derive(prop::sample::Index),
    Release(prop::sample::Index),
    Move(prop::sample::Index),
    Begin(prop::sample::Index),
    Revoke(prop::sample::Index, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => any::<()>().prop_map(|()| Step::Root),
        12 => index().prop_map(Step::Derive),
        6 => index().prop_map(Step::Release),
        2 => index().prop_map(Step::Move),
        1 => index().prop_map(Step::Begin),
        4 => (index(), 0usize..6).prop_map(|(which, steps)| Step::Revoke(which, steps)),
    ]
}

/// For every living node: its number, where it is and who its ancestors ever were, dead or alive.
#[derive(Default)]
struct Model {
    /// The living in the order of their birth.
    order: Vec<NodeId>,
    alive: BTreeMap<NodeId, (u64, Place, BTreeSet<u64>)>,
    /// Numbers of nodes that are being revoked.
    revoking: BTreeMap<NodeId, u64>,
}

impl Model {
    fn add(&mut self, number: u64, node: NodeId, parent: Option<NodeId>) {
        let ancestors = parent.map_or(BTreeSet::new(), |parent| {
            let (above, _, mut all) = self.alive[&parent].clone();
            all.insert(above);
            all
        });
        self.order.push(node);
        assert!(self.alive.insert(node, (number, place(number), ancestors)).is_none(), "a node in use");
    }

    fn gone(&mut self, node: NodeId) -> (u64, Place, BTreeSet<u64>) {
        self.revoking.remove(&node);
        self.order.retain(|other| *other != node);
        self.alive.remove(&node).expect("only the living go")
    }

    /// Whether something is being revoked at or above a living node.
    fn doomed(&self, node: NodeId) -> bool {
        let (number, _, ancestors) = &self.alive[&node];
        self.revoking.values().any(|root| root == number || ancestors.contains(root))
    }

    fn below(&self, root: u64) -> usize {
        self.alive.values().filter(|(.., ancestors)| ancestors.contains(&root)).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 12 }, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_tree_follows_sets_of_ancestors(steps in prop::collection::vec(step(), if cfg!(miri) { 60..80 } else { 10_000..12_000 })) {
        let mut forest = Forest::new(20_000);
        let mut model = Model::default();
        for (number, step) in (1..).zip(steps) {
            // Mostly recent nodes, so that families grow deep.
            let pick = |which: prop::sample::Index| {
                let recent = &model.order[model.order.len().saturating_sub(40)..];
                (!recent.is_empty()).then(|| *which.get(recent))
            };
            match step {
                Step::Root => {
                    let node = forest.root(place(number));
                    model.add(number, node, None);
                }
                Step::Derive(which) => if let Some(parent) = pick(which) {
                    match forest.derive(parent, place(number)) {
                        Ok(node) => {
                            prop_assert!(!model.doomed(parent));
                            model.add(number, node, Some(parent));
                        }
                        Err(error) => prop_assert!(error == TreeError::Revoking && !model.revoking.is_empty()),
                    }
                },
                Step::Release(which) => if let Some(node) = pick(which) {
                    forest.released(node);
                    model.gone(node);
                },
                Step::Move(which) => if let Some(node) = pick(which) {
                    let to = place(number + 1_000_000);
                    forest.moved(node, to);
                    model.revoking.remove(&node);
                    model.alive.get_mut(&node).unwrap().1 = to;
                },
                Step::Begin(which) => if let Some(node) = pick(which) {
                    let number = model.alive[&node].0;
                    prop_assert_eq!(forest.begin(node), model.revoking.insert(node, number).is_none());
                },
                Step::Revoke(which, steps) => if !model.revoking.is_empty() {
                    let all: Vec<_> = model.revoking.clone().into_iter().collect();
                    let (root, number) = *which.get(&all);
                    for _ in 0..steps {
                        match forest.revoke(root) {
                            Next::Kill { place, node } => {
                                forest.released(node);
                                let (_, at, ancestors) = model.gone(node);
                                prop_assert!(at == place && ancestors.contains(&number), "only what was derived from it, where it is");
                            }
                            Next::Look(_) => {}
                            Next::Done => {
                                prop_assert_eq!(model.below(number), 0, "nothing is left");
                                forest.end(root);
                                model.revoking.remove(&root);
                                break;
                            }
                        }
                    }
                },
            }
            prop_assert_eq!(forest.revoking, model.revoking.len());
            prop_assert!(forest.len() <= 2 * model.alive.len(), "dead nodes pile up");
        }
        for (node, (_, at, _)) in &model.alive {
            prop_assert_eq!(forest.tree().place(*node), Some(*at));
        }
    }
}

#[test]
fn what_is_cut_off_derives_from_nothing() {
    let mut forest = forest();
    let nodes = chain(&mut forest, 2);
    let leaf = forest.derive(nodes[1], place(7)).unwrap();
    let other = forest.derive(nodes[1], place(8)).unwrap();
    forest.released(nodes[1]);
    // The dead one in between held two together; now one is left and takes its place.
    assert_eq!(forest.tree().cut_off(leaf), Some(nodes[1]));
    assert_eq!((forest.tree().parent(leaf), forest.tree().parent(other)), (None, Some(nodes[0])));
    assert!(alive(&forest, leaf));
    assert_eq!(revoke(&mut forest, nodes[0]).0, [8]);
    assert!(alive(&forest, leaf));
}
