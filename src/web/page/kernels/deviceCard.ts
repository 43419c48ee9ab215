import { SOFTWARE_WARNING } from '../../../../bench/formatResults';
import { choiceField } from '../../components/choice';
import { element } from '../../components/dom';
import type { DeviceReport, DeviceWanted } from '../../../../bench/device';
import { describeDevice } from './formats';

const ABOUT: Readonly<Record<DeviceWanted, string>> = {
  full: 'Every feature and limit of the adapter that the kernels can make use of.',
  baseline: 'No optional feature and WebGPU’s default limits: what every browser with WebGPU gives.',
};

export interface DeviceCard {
  readonly element: HTMLElement;
  /** Shows a device; or, in its place, why there is none, or that it is being asked for. */
  show(device: DeviceReport | { readonly problem: string } | undefined): void;
  /** While something runs, no other device can be chosen. */
  lock(locked: boolean): void;
}

/** Which device kernels run on, and the choice of it. */
export function deviceCard(chosen: DeviceWanted, onChoose: (wanted: DeviceWanted) => void): DeviceCard {
  const about = element('p', { class: 'note' }, ABOUT[chosen]);
  const text = element('div', { class: 'device', 'aria-live': 'polite' });
  const choices = choiceField<DeviceWanted>({
    label: 'Device',
    options: [
      { value: 'full', title: 'Full device' },
      { value: 'baseline', title: 'Baseline' },
    ],
    chosen,
    onChoose: (wanted) => {
      about.textContent = ABOUT[wanted];
      onChoose(wanted);
    },
  }) as HTMLFieldSetElement;
  const card = element(
    'section',
    { class: 'card', 'aria-label': 'Device' },
    text,
    element('div', { class: 'choose' }, choices, about),
  );
  return {
    element: card,
    show: (device) => {
      const software = device !== undefined && 'adapter' in device && device.adapter.software;
      card.classList.toggle('warning', software || (device !== undefined && 'problem' in device));
      text.replaceChildren(...linesOf(device));
    },
    lock: (locked) => {
      choices.disabled = locked;
    },
  };
}

function linesOf(device: DeviceReport | { readonly problem: string } | undefined): HTMLElement[] {
  if (!device) return [element('p', {}, 'Asking the browser for a device …')];
  if ('problem' in device) return [element('h3', {}, 'No device'), element('p', {}, device.problem)];
  const { name, software } = device.adapter;
  return [
    element('h3', {}, software ? `SOFTWARE, not a GPU: ${name}` : name),
    element('p', {}, `${describeDevice(device)}.`),
    ...(software ? [element('p', {}, SOFTWARE_WARNING)] : []),
  ];
}
