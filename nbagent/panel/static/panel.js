var je=globalThis,at=e=>e,fe=je.trustedTypes,it=fe?fe.createPolicy("lit-html",{createHTML:e=>e}):void 0,Ve="$lit$",O=`lit$${Math.random().toFixed(9).slice(2)}$`,Ue="?"+O,Nn=`<${Ue}>`,j=document,re=()=>j.createComment(""),ae=e=>e===null||typeof e!="object"&&typeof e!="function",Ge=Array.isArray,mt=e=>Ge(e)||typeof e?.[Symbol.iterator]=="function",We=`[ 	
\f\r]`,se=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,lt=/-->/g,ct=/>/g,B=RegExp(`>|${We}(?:([^\\s"'>=/]+)(${We}*=${We}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),dt=/'/g,ut=/"/g,gt=/^(?:script|style|textarea|title)$/i,qe=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),m=qe(1),ws=qe(2),xs=qe(3),V=Symbol.for("lit-noChange"),f=Symbol.for("lit-nothing"),pt=new WeakMap,W=j.createTreeWalker(j,129);function ft(e,t){if(!Ge(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return it!==void 0?it.createHTML(t):t}var bt=(e,t)=>{let n=e.length-1,o=[],s,r=t===2?"<svg>":t===3?"<math>":"",a=se;for(let l=0;l<n;l++){let i=e[l],d,p,c=-1,g=0;for(;g<i.length&&(a.lastIndex=g,p=a.exec(i),p!==null);)g=a.lastIndex,a===se?p[1]==="!--"?a=lt:p[1]!==void 0?a=ct:p[2]!==void 0?(gt.test(p[2])&&(s=RegExp("</"+p[2],"g")),a=B):p[3]!==void 0&&(a=B):a===B?p[0]===">"?(a=s??se,c=-1):p[1]===void 0?c=-2:(c=a.lastIndex-p[2].length,d=p[1],a=p[3]===void 0?B:p[3]==='"'?ut:dt):a===ut||a===dt?a=B:a===lt||a===ct?a=se:(a=B,s=void 0);let u=a===B&&e[l+1].startsWith("/>")?" ":"";r+=a===se?i+Nn:c>=0?(o.push(d),i.slice(0,c)+Ve+i.slice(c)+O+u):i+O+(c===-2?l:u)}return[ft(e,r+(e[n]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),o]},ie=class e{constructor({strings:t,_$litType$:n},o){let s;this.parts=[];let r=0,a=0,l=t.length-1,i=this.parts,[d,p]=bt(t,n);if(this.el=e.createElement(d,o),W.currentNode=this.el.content,n===2||n===3){let c=this.el.content.firstChild;c.replaceWith(...c.childNodes)}for(;(s=W.nextNode())!==null&&i.length<l;){if(s.nodeType===1){if(s.hasAttributes())for(let c of s.getAttributeNames())if(c.endsWith(Ve)){let g=p[a++],u=s.getAttribute(c).split(O),h=/([.?@])?(.*)/.exec(g);i.push({type:1,index:r,name:h[2],strings:u,ctor:h[1]==="."?he:h[1]==="?"?$e:h[1]==="@"?ye:G}),s.removeAttribute(c)}else c.startsWith(O)&&(i.push({type:6,index:r}),s.removeAttribute(c));if(gt.test(s.tagName)){let c=s.textContent.split(O),g=c.length-1;if(g>0){s.textContent=fe?fe.emptyScript:"";for(let u=0;u<g;u++)s.append(c[u],re()),W.nextNode(),i.push({type:2,index:++r});s.append(c[g],re())}}}else if(s.nodeType===8)if(s.data===Ue)i.push({type:2,index:r});else{let c=-1;for(;(c=s.data.indexOf(O,c+1))!==-1;)i.push({type:7,index:r}),c+=O.length-1}r++}}static createElement(t,n){let o=j.createElement("template");return o.innerHTML=t,o}};function U(e,t,n=e,o){if(t===V)return t;let s=o!==void 0?n._$Co?.[o]:n._$Cl,r=ae(t)?void 0:t._$litDirective$;return s?.constructor!==r&&(s?._$AO?.(!1),r===void 0?s=void 0:(s=new r(e),s._$AT(e,n,o)),o!==void 0?(n._$Co??=[])[o]=s:n._$Cl=s),s!==void 0&&(t=U(e,s._$AS(e,t.values),s,o)),t}var be=class{constructor(t,n){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=n}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:n},parts:o}=this._$AD,s=(t?.creationScope??j).importNode(n,!0);W.currentNode=s;let r=W.nextNode(),a=0,l=0,i=o[0];for(;i!==void 0;){if(a===i.index){let d;i.type===2?d=new J(r,r.nextSibling,this,t):i.type===1?d=new i.ctor(r,i.name,i.strings,this,t):i.type===6&&(d=new ve(r,this,t)),this._$AV.push(d),i=o[++l]}a!==i?.index&&(r=W.nextNode(),a++)}return W.currentNode=j,s}p(t){let n=0;for(let o of this._$AV)o!==void 0&&(o.strings!==void 0?(o._$AI(t,o,n),n+=o.strings.length-2):o._$AI(t[n])),n++}},J=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,n,o,s){this.type=2,this._$AH=f,this._$AN=void 0,this._$AA=t,this._$AB=n,this._$AM=o,this.options=s,this._$Cv=s?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,n=this._$AM;return n!==void 0&&t?.nodeType===11&&(t=n.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,n=this){t=U(this,t,n),ae(t)?t===f||t==null||t===""?(this._$AH!==f&&this._$AR(),this._$AH=f):t!==this._$AH&&t!==V&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):mt(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==f&&ae(this._$AH)?this._$AA.nextSibling.data=t:this.T(j.createTextNode(t)),this._$AH=t}$(t){let{values:n,_$litType$:o}=t,s=typeof o=="number"?this._$AC(t):(o.el===void 0&&(o.el=ie.createElement(ft(o.h,o.h[0]),this.options)),o);if(this._$AH?._$AD===s)this._$AH.p(n);else{let r=new be(s,this),a=r.u(this.options);r.p(n),this.T(a),this._$AH=r}}_$AC(t){let n=pt.get(t.strings);return n===void 0&&pt.set(t.strings,n=new ie(t)),n}k(t){Ge(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,o,s=0;for(let r of t)s===n.length?n.push(o=new e(this.O(re()),this.O(re()),this,this.options)):o=n[s],o._$AI(r),s++;s<n.length&&(this._$AR(o&&o._$AB.nextSibling,s),n.length=s)}_$AR(t=this._$AA.nextSibling,n){for(this._$AP?.(!1,!0,n);t!==this._$AB;){let o=at(t).nextSibling;at(t).remove(),t=o}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},G=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,n,o,s,r){this.type=1,this._$AH=f,this._$AN=void 0,this.element=t,this.name=n,this._$AM=s,this.options=r,o.length>2||o[0]!==""||o[1]!==""?(this._$AH=Array(o.length-1).fill(new String),this.strings=o):this._$AH=f}_$AI(t,n=this,o,s){let r=this.strings,a=!1;if(r===void 0)t=U(this,t,n,0),a=!ae(t)||t!==this._$AH&&t!==V,a&&(this._$AH=t);else{let l=t,i,d;for(t=r[0],i=0;i<r.length-1;i++)d=U(this,l[o+i],n,i),d===V&&(d=this._$AH[i]),a||=!ae(d)||d!==this._$AH[i],d===f?t=f:t!==f&&(t+=(d??"")+r[i+1]),this._$AH[i]=d}a&&!s&&this.j(t)}j(t){t===f?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},he=class extends G{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===f?void 0:t}},$e=class extends G{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==f)}},ye=class extends G{constructor(t,n,o,s,r){super(t,n,o,s,r),this.type=5}_$AI(t,n=this){if((t=U(this,t,n,0)??f)===V)return;let o=this._$AH,s=t===f&&o!==f||t.capture!==o.capture||t.once!==o.once||t.passive!==o.passive,r=t!==f&&(o===f||s);s&&this.element.removeEventListener(this.name,this,o),r&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},ve=class{constructor(t,n,o){this.element=t,this.type=6,this._$AN=void 0,this._$AM=n,this.options=o}get _$AU(){return this._$AM._$AU}_$AI(t){U(this,t)}},ht={M:Ve,P:O,A:Ue,C:1,L:bt,R:be,D:mt,V:U,I:J,H:G,N:$e,U:ye,B:he,F:ve},Dn=je.litHtmlPolyfillSupport;Dn?.(ie,J),(je.litHtmlVersions??=[]).push("3.3.3");var _=(e,t,n)=>{let o=n?.renderBefore??t,s=o._$litPart$;if(s===void 0){let r=n?.renderBefore??null;o._$litPart$=s=new J(t.insertBefore(re(),r),r,void 0,n??{})}return s._$AI(e),s};var Hn=1500;function N(e,t="",n="Copy"){return m`<button
    type="button"
    class="nbagent-button nbagent-copy"
    aria-label=${t||f}
    .textContent=${n}
    @click=${s=>{Ln(s.currentTarget,e,n)}}
  ></button>`}async function Ln(e,t,n="Copy"){let o=!0;try{await navigator.clipboard.writeText(t)}catch{o=!1}e.textContent=o?"Copied":"Select it",setTimeout(()=>{e.textContent=n},Hn)}function yt(e){e.dataset.copy="",e.tabIndex=0;let t=document.createElement("div");t.className="nbagent-code-block",e.replaceWith(t);let n=document.createElement("div");_(N(e.textContent??"","Copy code"),n),t.append(e,n)}var $t=new WeakSet;function we(e){$t.has(e)||($t.add(e),new ResizeObserver(()=>we(e)).observe(e)),e.scrollHeight>e.clientHeight+1||e.scrollWidth>e.clientWidth+1?e.tabIndex=0:e.removeAttribute("tabindex")}function xe(e){let t=document.createElement("style");return/^[\w-]+$/.test(e??"")&&(t.textContent=`.${e}, .jp-OutputArea-child:has(.${e}) { display: none !important; }`),document.head.append(t),()=>t.remove()}async function C(e,t,n,o={}){let s=globalThis.crypto?.randomUUID?.()??`${Date.now()}-${Math.random()}`,r={...o,command:t,run_id:n,command_id:s};if(await In(e,r))return"control";try{return e.send(r),"comm"}catch{return"none"}}async function vt(e){return(await e.widget_manager)?.kernel}async function In(e,t){try{let n=await vt(e);if(typeof n?.sendControlMessage!="function")return!1;let s={channel:"control",header:{msg_id:t.command_id,msg_type:"nbagent_request",session:n.clientId??"",username:n.username??"",date:new Date().toISOString(),version:"5.3"},parent_header:{},metadata:{},content:t,buffers:[]},r=n.sendControlMessage(s,!0,!0);r.done?.catch?.(()=>{});let a=new Promise(i=>{r.onReply=d=>i(d.content?.status==="ok"&&d.content.heard===!0)}),l=new Promise(i=>setTimeout(i,1500,!1));return await Promise.race([a,l])}catch{return!1}}async function wt(e,t){e.on("comm_live_update",t);try{let n=await vt(e),o=new Set(["restarting","autorestarting","terminating","dead"]);n?.statusChanged?.connect((s,r)=>{o.has(r)&&t()}),n?.disposed?.connect(t)}catch{}}var Pn=new Intl.NumberFormat("en-US"),Fn=new Intl.NumberFormat("en-US",{notation:"compact",maximumFractionDigits:1}),x=e=>Pn.format(e),Te=e=>Fn.format(e),q=(e,t)=>`${x(e)} ${t}${e===1?"":"s"}`;function X(e){let t=Math.max(0,Math.floor(e/1e3));if(t<60)return`${t} s`;let n=Math.floor(t/60)%60,o=Math.floor(t/3600),s=r=>String(r).padStart(2,"0");return o?`${o} h ${s(n)} min`:`${n} min ${s(t%60)} s`}var ze=e=>e<6e4?Bn(e):X(e).replace(/ (min|h|s)/g,(t,n)=>n[0]??""),Bn=e=>e<1e4?`${(Math.max(0,e)/1e3).toFixed(1)} s`:X(e);function xt(e,t){let n=new Date(e);if(n.toDateString()===new Date(t).toDateString())return n.toLocaleTimeString("en-GB");let o=n.getFullYear()===new Date(t).getFullYear(),s={day:"numeric",month:"short"};return n.toLocaleDateString("en-GB",o?s:{...s,year:"numeric"})}function ke(e){return e===0?"$0":e>=.1?`$${e.toLocaleString("en-US",{minimumFractionDigits:2,maximumFractionDigits:2})}`:`$${Number(e.toPrecision(2))}`}var Tt=e=>e>=1?`${Te(e)}/s`:`${Te(60*e)}/min`;var Wn=new Set(["completed","error","cancelled","timeout","interrupted","incomplete"]),jn=new Set(["error","timeout","interrupted"]),k=e=>Wn.has(e),L=e=>jn.has(e);var Ae="nbagent-notify",Vn=1e4,Un=800,Ke=3,kt=()=>typeof Notification=="function"&&Notification.permission!=="denied"&&!!navigator.locks;function Ye(){try{return kt()&&Notification.permission==="granted"&&localStorage.getItem(Ae)==="on"}catch{return!1}}async function Gn(){let e=!Ye()&&await Notification.requestPermission()==="granted";try{localStorage.setItem(Ae,e?"on":"off")}catch{return}for(let t of document.querySelectorAll(".nbagent-bell"))t.setAttribute("aria-pressed",String(e))}function Se(){return kt()?m`<button
    type="button"
    class="nbagent-button nbagent-bell"
    title="Notify me when a run ends or waits for me"
    aria-label="Notify me when a run ends or waits for me"
    aria-pressed=${Ye()}
    @click=${()=>{Gn()}}
  ></button>`:f}function le(e,t){return e===void 0||e===t||k(e)?null:t==="paused"?"waits":k(t)?"ended":null}function qn(e){let t=e.filter(a=>a.status==="paused").length,[n]=e;if(n&&e.length===1)return[t?`${n.title} waits for you`:`${n.title}: ${n.status}`,"nbagent"];let o=e.slice(0,Ke).map(a=>`${a.title}: ${a.status==="paused"?"waits for you":a.status}`);e.length>Ke&&o.push(`and ${e.length-Ke} more`);let s=e.length-t;return[[t?`${q(t,"run")} ${t===1?"waits":"wait"} for you`:"",s?`${q(s,"run")} ended`:""].filter(Boolean).join(", "),o.join(`
`)]}var _e=[];function ce(e,t,n){Ye()&&navigator.locks.request(`${Ae} ${e} ${t}`,{ifAvailable:!0},async o=>{o&&(_e.push(n),_e.length===1&&setTimeout(zn,Un),await new Promise(s=>setTimeout(s,Vn)))})}function zn(){let[e,t]=qn(_e);_e=[];let n=new Notification(e,{body:t,tag:`${Ae} ${e}`});n.onclick=()=>window.focus()}var z=class{constructor(t,n=()=>performance.now()){this.askWhole=t;this.now=n}askWhole;now;#e=-1;#t=-1/0;get seq(){return this.#e}restart(t){this.#e=t}accept(t){return typeof t!="number"||t<=this.#e?!1:t!==this.#e+1?(this.resync(),!1):(this.#e=t,!0)}resync(){this.now()-this.#t<1e3||(this.#t=this.now(),this.askWhole())}};var _t={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},Ce=e=>(...t)=>({_$litDirective$:e,values:t}),Q=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,n,o){this._$Ct=t,this._$AM=n,this._$Ci=o}_$AS(t,n){return this.update(t,n)}update(t,n){return this.render(...n)}};var{I:Kn}=ht,At=e=>e;var St=()=>document.createComment(""),Z=(e,t,n)=>{let o=e._$AA.parentNode,s=t===void 0?e._$AB:t._$AA;if(n===void 0){let r=o.insertBefore(St(),s),a=o.insertBefore(St(),s);n=new Kn(r,a,e,e.options)}else{let r=n._$AB.nextSibling,a=n._$AM,l=a!==e;if(l){let i;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(i=e._$AU)!==a._$AU&&n._$AP(i)}if(r!==s||l){let i=n._$AA;for(;i!==r;){let d=At(i).nextSibling;At(o).insertBefore(i,s),i=d}}}return n},I=(e,t,n=e)=>(e._$AI(t,n),e),Yn={},Re=(e,t=Yn)=>e._$AH=t,Ct=e=>e._$AH,Me=e=>{e._$AR(),e._$AA.remove()};var Rt=(e,t,n)=>{let o=new Map;for(let s=t;s<=n;s++)o.set(e[s],s);return o},Ee=Ce(class extends Q{constructor(e){if(super(e),e.type!==_t.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,n){let o;n===void 0?n=t:t!==void 0&&(o=t);let s=[],r=[],a=0;for(let l of e)s[a]=o?o(l,a):a,r[a]=n(l,a),a++;return{values:r,keys:s}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,o]){let s=Ct(e),{values:r,keys:a}=this.dt(t,n,o);if(!Array.isArray(s))return this.ut=a,r;let l=this.ut??=[],i=[],d,p,c=0,g=s.length-1,u=0,h=r.length-1;for(;c<=g&&u<=h;)if(s[c]===null)c++;else if(s[g]===null)g--;else if(l[c]===a[u])i[u]=I(s[c],r[u]),c++,u++;else if(l[g]===a[h])i[h]=I(s[g],r[h]),g--,h--;else if(l[c]===a[h])i[h]=I(s[c],r[h]),Z(e,i[h+1],s[c]),c++,h--;else if(l[g]===a[u])i[u]=I(s[g],r[u]),Z(e,s[c],s[g]),g--,u++;else if(d===void 0&&(d=Rt(a,u,h),p=Rt(l,c,g)),d.has(l[c]))if(d.has(l[g])){let b=p.get(a[u]),y=b!==void 0?s[b]:null;if(y===null){let T=Z(e,s[c]);I(T,r[u]),i[u]=T}else i[u]=I(y,r[u]),Z(e,s[c],y),s[b]=null;u++}else Me(s[g]),g--;else Me(s[c]),c++;for(;u<=h;){let b=Z(e,i[h+1]);I(b,r[u]),i[u++]=b}for(;c<=g;){let b=s[c++];b!==null&&Me(b)}return this.ut=a,Re(e,i),V}});var Mt={always:"Always",approve:"Approve",deny:"Deny"},Jn={always:"approving…",approve:"approving…",deny:"denying…",gone:"kernel is gone"};function Et(e,t,n){return m`<div class="nbagent-approvals" ?hidden=${!e.length}>
    ${Ee(e,Oe,o=>{let s=t.get(Oe(o)),r=a=>m`<button
          type="button"
          class=${`nbagent-button nbagent-${a}`}
          aria-label=${`${Mt[a]} ${o.by?`for ${o.by}: `:""}${o.call}`}
          aria-disabled=${s!==void 0}
          @click=${()=>n(o,a)}
        >${Mt[a]}</button>`;return m`<div class="nbagent-approval">
        <div class="nbagent-asking">
          <span class="nbagent-by" ?hidden=${!o.by}>${o.by}</span><code class="nbagent-asked">${o.call}</code>
        </div>
        <div class="nbagent-choice">
          ${r("approve")}${o.always?r("always"):f}${r("deny")}<span class="nbagent-said">${s?Jn[s]:""}</span>
        </div>
      </div>`})}
  </div>`}function Ot(e,t){return m`<p class="nbagent-always" ?hidden=${!e.length}>
    <button type="button" class="nbagent-button" title="ask me again" @click=${t}
      >${e.join(", ")} runs without asking ✕</button>
  </p>`}var Xn={ready:"Send",heard:"sending…",gone:"kernel is gone"};function Nt(e,t,n){let o=s=>{s.preventDefault();let r=s.target.querySelector("input"),a=r.value.trim();!a||t!=="ready"||(r.value="",n(a))};return m`<div class="nbagent-sending" ?hidden=${!e.takes_messages}>
    ${e.sent.map(s=>m`<p class="nbagent-sent">with its next step: ${s}</p>`)}
    ${e.takes_messages?m`<form class="nbagent-send" @submit=${o}>
            <input type="text" class="nbagent-message" placeholder="Tell it something" aria-label=${`Tell ${e.title} something`} />
            <button type="submit" class="nbagent-button" aria-disabled=${t!=="ready"}>${Xn[t]}</button>
          </form>`:f}
  </div>`}var Dt=Ce(class extends Q{constructor(){super(...arguments),this.key=f}render(e,t){return this.key=e,t}update(e,[t,n]){return t!==this.key&&(Re(e),this.key=t),n}});var Qn=[["table","Table"],["tree","Tree"]],Zn=3,eo=20;function Ht(e,t,n){let o=t??e.form;return m`<div class="nbagent-structured" ?hidden=${!e.form}>
    <div class="nbagent-forms" role="group" aria-label="show the answer as" ?hidden=${!e.table||!e.tree}>
      ${Qn.map(([s,r])=>m`<button type="button" class="nbagent-group" aria-pressed=${s===o} @click=${()=>n(s)}>${r}</button>`)}
    </div>
    <div class="nbagent-form" role="group" aria-label="structured answer">
      ${o==="tree"&&e.tree?Lt(e.tree.kids??[],1):e.table?to(e.table):f}
    </div>
    <p class="nbagent-more" ?hidden=${o==="tree"||!e.more}>${e.more}</p>
  </div>`}function to({columns:e,numeric:t,cells:n}){let o=s=>t[s]?"nbagent-number":"";return m`<table>
    <thead>
      <tr>${e.map((s,r)=>m`<th scope="col" class=${o(r)}>${s}</th>`)}</tr>
    </thead>
    <tbody>
      ${n.map(s=>m`<tr>${s.map((r,a)=>m`<td class=${o(a)}>${r}</td>`)}</tr>`)}
    </tbody>
  </table>`}function Lt(e,t){return m`<ul class="nbagent-tree">
    ${e.map(({name:n,kind:o,text:s,note:r,kids:a})=>{if(!a){let i=n?m`<span class="nbagent-key">${n}</span>`:f;return m`<li class="nbagent-leaf-line">${i}<span class="nbagent-leaf" data-kind=${o}>${s}</span></li>`}let l=t<Zn&&a.length<=eo;return Dt(`${n} ${a.length}`,m`<li>
          <details ?open=${l}>
            <summary><span class="nbagent-key">${n}</span><span class="nbagent-note">${r}</span></summary>
            ${Lt(a,t+1)}
          </details>
        </li>`)})}
  </ul>`}var no=32,oo={ready:"Cancel",heard:"cancelling…",waiting:"waits for the kernel",gone:"kernel is gone"},so={ready:"Retry",heard:"retrying…",gone:"kernel is gone"};function It(e,t,n){let o=document.createTextNode(""),s=document.createElement("div");s.className="nbagent-answer",s.setAttribute("role","group"),s.setAttribute("aria-label","answer"),s.append(o);let r=null,a=null;e.classList.add("nbagent");let l=c=>{r=c,a=null,i()},i=()=>{let c=e.querySelector(".nbagent-card"),g=c?.contains(document.activeElement)?document.activeElement:null;if(_(ro(t,s,r,n,l),e),g&&(!g.isConnected||g.hidden)&&c?.focus({preventScroll:!0}),a!==t.row){a=t.row;for(let h of e.querySelectorAll(".nbagent-prose, .nbagent-form"))we(h);for(let h of e.querySelectorAll(".nbagent-prose pre:not([data-copy])"))yt(h)}},d=c=>{let g=s.scrollHeight-s.scrollTop-s.clientHeight<no;c===null||o.length+c.length!==t.text.length?o.data=t.text:c&&o.appendData(c),s.hidden=!t.text||!!t.row.html,g&&!t.row.final&&(s.scrollTop=s.scrollHeight),we(s)},p=setInterval(()=>t.row.final||i(),1e3);return{update(c){i(),d(c)},end:()=>clearInterval(p)}}function ro(e,t,n,o,s){let{row:r}=e;return m`<section class="nbagent-card" tabindex="-1" data-status=${r.status} aria-label=${`run ${r.title}`}>
    ${ao(e,o)}
    <p class="nbagent-banner" ?hidden=${!r.banner}>${po(r.banner)}</p>
    <div class="nbagent-body">
      ${lo(r.members)}
      <p class="nbagent-waiting" ?hidden=${!r.waiting}>${r.waiting}</p>
      ${Et(r.approvals,e.decided,o.decide)} ${Ot(r.always,o.endAlways)} ${Ht(r,n,s)}
      <div
        class="nbagent-prose"
        role="group"
        aria-label="answer"
        ?hidden=${!r.html}
        .innerHTML=${r.html??""}
      ></div>
      ${r.form?f:t}
      <details class="nbagent-raw" ?hidden=${!r.form}>
        <summary>raw answer</summary>
        ${r.form?t:f}
      </details>
      ${co(r)} ${Nt(r,e.sending,o.send)}
      <div class="nbagent-error" ?hidden=${!r.error.some(Boolean)}>
        ${r.error.filter(Boolean).map((a,l)=>m`<p class=${l?"nbagent-todo":"nbagent-what"}>${a}</p>`)}
      </div>
    </div>
    ${uo(r)}
  </section>`}function ao({row:e,cancel:t,retry:n,beganAt:o},s){let r=e.began_ms===null?"":X(performance.now()-o),a=oo[t];return m`<header class="nbagent-head">
    <span class="nbagent-status" role="status" aria-live="polite"
      ><span class="nbagent-chip">${e.reason?`${e.status}: ${e.reason}`:e.status}</span></span
    >
    <div class="nbagent-names">
      <span class="nbagent-title">${e.title}</span
      ><span class="nbagent-origin">${[e.agent,e.model].filter(Boolean).join(" · ")}</span>
    </div>
    <span class="nbagent-elapsed">${e.final?e.took:r}</span>
    ${e.final?f:Se()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel"
      ?hidden=${e.final}
      aria-disabled=${t!=="ready"}
      aria-label=${t==="ready"?`Cancel ${e.title}`:a}
      @click=${s.cancel}
    >${a}</button>
    ${io(e,n,s)}
  </header>`}function io(e,t,n){if(!e.final||t==="never"||!(L(e.status)||e.status==="cancelled"))return f;let o=so[t];return m`<button
    type="button"
    class="nbagent-button nbagent-retry"
    aria-disabled=${t!=="ready"}
    aria-label=${t==="ready"?`Retry ${e.title}`:o}
    @click=${n.retry}
  >${o}</button>`}function lo(e){return m`<ul class="nbagent-members" aria-label="members" ?hidden=${!e.length}>
    ${e.map(t=>m`<li class="nbagent-member" data-status=${t.status} style=${`padding-inline-start: ${(t.depth-1)*1.5}em`}>
          <span class="nbagent-name">${t.name}</span><span class="nbagent-state">${t.status}</span
          ><span class="nbagent-value">${t.tokens}</span>
        </li>`)}
  </ul>`}function co(e){let t=[...e.calls.map(n=>["call",n]),...e.called?[["called",e.called]]:[],...e.retry?[["retry",e.retry]]:[],...e.notices.map(n=>["notice",n])];return m`<div class="nbagent-activity" ?hidden=${!t.length}>
    ${t.map(([n,o])=>m`<p class=${`nbagent-${n}`}>${o}</p>`)}
  </div>`}function uo(e){return m`<footer class="nbagent-foot">
    <div class="nbagent-facts" ?hidden=${!e.facts.length}>
      ${e.facts.map(([t,n])=>m`<span class="nbagent-fact" title=${n==="?"?"the provider did not say":f}
            ><span class="nbagent-name">${t} </span><span class="nbagent-value">${n}</span></span
          >`)}
    </div>
    <div class="nbagent-access">
      <code class="nbagent-code">${e.code}</code>${N(e.code,`Copy ${e.code}`)}
    </div>
  </footer>`}function po(e){return e.split(`
`).map((t,n)=>n?m`<br /><code>${t}</code>`:m`${t}`)}var Oe=e=>`${e.run_id} ${e.step} ${e.tool_call_id}`,mo={run_id:"",title:"",agent:"",model:"",banner:"",status:"pending",reason:"",final:!1,began_ms:null,waiting:"",approvals:[],always:[],calls:[],called:"",members:[],sent:[],takes_messages:!1,retry:"",notices:[],error:[],table:null,tree:null,more:"",form:"",html:null,took:"",facts:[],code:""};function De(e=!0){let t={row:mo,text:"",beganAt:0,cancel:"ready",wasFinal:!1,retry:e?"ready":"never",sending:"ready",decided:new Map},n=new Set,o=new z(()=>{}),s=u=>n.forEach(h=>h.update(u)),r=u=>{t.beganAt=performance.now()-Math.max(0,u-(t.row.began_ms??u))},a=u=>{let h=t.row.run_id===u.run_id?t.row.status:void 0;t.row=u,t.wasFinal&&!u.final&&(t.cancel="ready",e&&(t.retry="ready")),t.wasFinal=u.final;let b=le(h,u.status);b&&ce(u.run_id,b,u)},l=u=>{u?.row&&(o.restart(u.seq),a(u.row),t.text=u.text,t.decided.clear(),r(u.now_ms),s(null))},i=u=>{o.accept(u?.seq)&&(u.row&&(a(u.row),r(u.now_ms)),t.text+=u.append,s(u.append))},d=async u=>{if(t.cancel!=="ready"||t.row.final)return;t.cancel="heard",s("");let h=await C(u,"cancel",t.row.run_id);h==="none"?t.cancel="gone":h==="comm"&&setTimeout(()=>{t.cancel==="heard"&&(t.cancel="waiting"),s("")},3e3),s("")},p=async u=>{t.retry!=="ready"||!t.row.final||(t.retry="heard",s(""),await C(u,"retry",t.row.run_id,{card:!0})==="none"&&(t.retry="gone"),setTimeout(()=>{t.retry==="heard"&&t.row.final&&(t.retry="ready"),s("")},3e3),s(""))},c=async(u,h,b)=>{let y=Oe(h);if(t.decided.has(y)||t.row.final)return;t.decided.set(y,b),s("");let T={tool_call_id:h.tool_call_id,step:h.step,card:t.row.run_id};await C(u,b,h.run_id,T)==="none"&&t.decided.set(y,"gone"),s("")},g=async(u,h)=>{t.sending==="ready"&&(t.sending="heard",s(""),t.sending=await C(u,"send",t.row.run_id,{text:h})==="none"?"gone":"ready",s(""))};return{initialize(u){o=new z(()=>{C(u,"resend",t.row.run_id)}),l(u.get("card")),u.on("change:card",()=>l(u.get("card"))),u.on("msg:custom",i)},render(u,h){let b=It(h,t,{cancel:()=>{d(u)},retry:()=>{p(u)},send:T=>{g(u,T)},decide:(T,A)=>{c(u,T,A)},endAlways:()=>{C(u,"end_always",t.row.run_id)}}),y=xe(u.get("key"));return n.add(b),b.update(null),()=>{n.delete(b),b.end(),y()}}}}var Pt="application/vnd.jupyter.widget-view+json",go="nbagent-host",de=new Map,Je=null;async function Bt(e){try{let n=(await e)?.context?.model?.cells;return n&&typeof n[Symbol.iterator]=="function"?n:null}catch{return null}}function Wt(e,t){let n=!1;for(let o of e)n=fo(o.outputs,t)||n;return n}function fo(e,t){let n=!1;for(let o=0;o<(e?.length??0);o+=1){let s=e?.get(o).toJSON().data,r=s?.["text/html"],a=Array.isArray(r)?r.join(""):String(r??"");if(!s?.[Pt]||!a.includes(t))continue;let{[Pt]:l,...i}=s;e?.set(o,{output_type:"display_data",data:i,metadata:{}}),n=!0}return n}function jt(e,t){let n={draw:t,views:[]};return de.set(e,n),Je??=new MutationObserver(Ft),Je.observe(document.body,{childList:!0,subtree:!0}),Ft(),()=>{de.delete(e);for(let{el:o,end:s}of n.views)s(),o.remove();de.size||Je?.disconnect()}}function Ft(){for(let e of document.getElementsByClassName(go)){let t=[...e.classList].find(n=>de.has(n));t&&bo(e,de.get(t))}}function bo(e,t){if(t.views.some(({el:o})=>o.parentNode===e))return;let n=t.views.find(({el:o})=>!o.isConnected);if(n)e.append(n.el);else{let o=document.createElement("div");o.className="tex2jax_ignore mathjax_ignore",n={el:o,end:()=>{}},t.views.push(n),e.append(o),n.end=t.draw(o)}e.closest(".jp-RenderedHTMLCommon")?.classList.remove("jp-RenderedHTMLCommon")}var ho=/^\s*%%agent(_bg)?\b/;async function Vt(e){try{let t=await e.widget_manager;for(let n of t?.context?.model?.cells??[])n.mimeType!=="text/plain"&&ho.test(n.sharedModel?.getSource?.()??"")&&(n.mimeType="text/plain")}catch{}}function Ut(e){let t=new Map,n=(l,i)=>(t.get(l)??[]).forEach(d=>d(i)),o=new Set,s=De(!1),r={get:l=>({card:a.card,key:""})[l],on:(l,i)=>{t.set(l,[...t.get(l)??[],i])},send:l=>e.send(l),get widget_manager(){return e.widget_manager}},a={card:null,details:null,hear(l){if("card"in l){let i=a.card===null;a.card=l.card,i?s.initialize(r):n("change:card")}else"details"in l?a.details=l.details:n("msg:custom",l);o.forEach(i=>i())},follow(l){return o.add(l),()=>{o.delete(l)}},renderCard:l=>s.render(r,l)};return a}var $o=60*1e3,yo=3e3,Gt=(e,t,n="",o)=>({key:e,line:t,batchId:n,kids:t?null:[],sums:null,told:o,unfolded:!1});function He(e,t){let n=new Map;for(let[r,a]of e)n.set(r,Gt(r,a));let o=[],s=new Map;for(let r of n.values()){let a=r.line.row,l=a.parent===null?void 0:n.get(a.parent);if(l&&l!==r)(l.kids??=[]).push(r);else if(a.batch){let i=s.get(a.batch);i||(i=Gt(`batch ${a.batch}`,null,a.batch,t.get(a.batch)),s.set(a.batch,i),o.push(i)),i.kids?.push(r)}else o.push(r)}return o}var zt=e=>({status:e.status,title:e.title,model:e.model,created:e.created_ms,began:e.began_ms,ended:e.ended_ms,tokens:e.tokens,cost:e.cost,priced:e.priced,of:0,open:0,waiting:+(e.status==="paused"),failed:0,cancelled:0,ends:[],rate:null,endless:!1});function D(e){return e.line&&!e.kids?zt(e.line.row):e.sums??=vo(e)}function vo(e){let t=(e.kids??[]).map(D),n=e.line?zt(e.line.row):null,o=n?[n,...t]:t,s=c=>o.map(g=>g[c]).filter(g=>g!==null),r=c=>{let g=s(c);return g.length?g.reduce((u,h)=>u+h,0):null},a=t.filter(c=>c.status==="cancelled").length,l=e.told?xo(e.told,a):null,i=l?l.open:t.filter(c=>!k(c.status)).length,d=o.map(c=>c.priced).filter(c=>c!==null),p=s("ended");return{status:n?n.status:wo(t,i,!!l?.cancelled),title:n?.title??t[0]?.title??"batch",model:n?.model??t[0]?.model??"",created:n?n.created:qt(s("created")),began:n?n.began:qt(s("began")),ended:n?n.ended:i?null:ko(p),tokens:r("tokens"),cost:r("cost"),priced:d.length?d.every(Boolean):null,of:t.length,open:i,waiting:o.reduce((c,g)=>c+g.waiting,0),failed:t.filter(c=>L(c.status)).length,cancelled:a,ends:p,rate:null,endless:!1,...l}}function wo(e,t,n){if(t)return"running";let o=new Set(e.map(s=>s.status));return n&&o.add("cancelled"),o.size===1?e[0]?.status??"incomplete":"incomplete"}function xo({total:e,done:t,failed:n,not_asked:o,rate:s,finished:r,tokens:a,cost:l},i){let d=t+n+o,p=r?0:Math.max(1,(e??d+1)-d),c=r?Math.min(n,i):0;return{of:d+p,open:p,failed:n-c,cancelled:c+o,rate:s,endless:e===null,...a===null?{}:{tokens:a},...l===null?{}:{cost:l}}}function To({began:e,ended:t,ends:n,of:o,rate:s},r){if(s!==null)return s;if(e===null||!n.length)return 0;if(t!==null)return t>e?1e3*o/(t-e):0;let a=Math.max(e,r-$o),l=n.reduce((i,d)=>i+ +(d>=a),0);return r-a<1e3?0:1e3*l/(r-a)}function Kt(e,t){let n=e.of-e.open,o=To(e,t),s=e.open>0&&!e.endless;return[e.endless?x(n):e.open?`${x(n)} of ${x(e.of)}`:`all ${x(e.of)} ended`,e.waiting?`${x(e.waiting)} ${e.waiting===1?"waits":"wait"} for you`:"",e.failed?`${x(e.failed)} failed`:"",e.cancelled?`${x(e.cancelled)} cancelled`:"",s?`${x(e.open)} left`:"",o?Tt(o):"",o&&s&&e.began!==null&&t-e.began>=yo?`${X(1e3*e.open/o)} to go`:""].filter(Boolean)}function Xe(e){for(let t of e)t.kids&&(t.sums=null,Xe(t.kids))}var qt=e=>e.length?e.reduce((t,n)=>n<t?n:t):null,ko=e=>e.length?e.reduce((t,n)=>n>t?n:t):null;var Yt={command:null,word:""},_o=new Set(["error","timeout","interrupted"]),Ao={cancel:"cancelling…",cancel_batch:"cancelling…",retry:"retrying…",retry_batch:"retrying…",resume:"resuming…",approve:"approving…",deny:"denying…",fork:"forking…",score:"scoring…"},Qe=e=>e.line?e.key:e.batchId,Le=e=>e==="cancel"||e==="cancel_batch";function K(e,t){if(t.gone)return Yt;let n=t.asked.get(Qe(e));if(n)return{command:null,word:n.how==="waiting"?"waiting…":Ao[n.name]??"…"};let{status:o}=D(e);return k(o)?e.told?.failed?{command:"retry_batch",word:"Retry"}:!e.line||e.line.row.parent?Yt:_o.has(o)?{command:"resume",word:"Resume"}:{command:"retry",word:"Retry"}:{command:e.line?"cancel":"cancel_batch",word:"Cancel"}}var So=[[!0,"Good answer"],[!1,"Bad answer"]],Co={yes:"good",no:"bad"};function Jt(e,t){let n=(s,r)=>{let a=s.target.closest(".nbagent-judgement")?.querySelector("input"),l=a?.value.trim()??"";r===void 0&&!l||(a&&(a.value=""),t(r===void 0?{note:l}:{value:r,note:l}))},o=e.findLast(({score:s})=>s==="thumbs")?.value;return m`<div class="nbagent-judgement" role="group" aria-label="your score">
    ${So.map(([s,r])=>m`<button
          type="button"
          class="nbagent-button nbagent-thumb"
          title=${r}
          aria-label=${r}
          ?data-down=${!s}
          aria-pressed=${o===(s?"yes":"no")}
          @click=${a=>n(a,s)}
        ></button>`)}
    <input
      type="text"
      class="nbagent-search"
      placeholder="Note; Enter keeps it, or a thumb with it"
      aria-label="Note on this run"
      @keydown=${s=>s.key==="Enter"&&n(s)}
    />
    ${e.map(({score:s,value:r,comment:a,author:l})=>m`<span class="nbagent-score" title=${l}
          >${s==="thumbs"?Co[r]??r:`${s}: ${r}`}${a?m` <q>${a}</q>`:f}</span
        >`)}
  </div>`}function Ie(e,t,n){let o=s=>{let r=s.target.closest(".nbagent-fork")?.querySelector("textarea")?.value??"";n(e,r===t?"":r)};return m`<div class="nbagent-fork">
    <textarea rows="2" aria-label=${e?`Further message after step ${e}`:"Prompt of the fork"} placeholder="A further message, or none" .value=${t}></textarea>
    <button type="button" class="nbagent-button" @click=${o}>${e?`Fork after step ${e}`:"Launch the fork"}</button>
  </div>`}function Qt(e,t){let{setup:n,steps:o,messages:s}=e,r=e.left?m`<p class="nbagent-more">${x(e.left)} earlier messages are in the store</p>`:f;return[n.instructions||n.tools.length||n.settings.length?ee("Setup",0,!1,Ro(n)):f,o.rows.length?ee("Steps",o.rows.length,!0,Eo(o.rows,t)):f,e.traceback?ee("Traceback",0,!1,Y(e.traceback)):f,s.length?ee("Messages",s.length+e.left,!1,[r,s.map(No)]):e.prompt?ee("Prompt",0,!1,Y(e.prompt)):f,ee("About",0,!1,[Zt(e.about),Do(e.code)])]}function ee(e,t,n,o){let s=t?m`<span class="nbagent-count"> ${x(t)}</span>`:f;return m`<details class="nbagent-section" data-name=${e} ?open=${n}>
    <summary>${e}${s}</summary>
    <div class="nbagent-section-body">${o}</div>
  </details>`}function Ro({instructions:e,tools:t,settings:n}){return[e?m`<p class="nbagent-label">System prompt</p>${Y(e)}`:f,t.length?m`<p class="nbagent-label">Tools</p>`:f,m`${t.map(o=>m`<details class="nbagent-tool">
          <summary><code class="nbagent-tool-call">${o.name}</code><span class="nbagent-tool-note">${Mo(o.description)}</span></summary>
          ${o.description.includes(`
`)?Y(o.description):f}${Y(o.parameters)}
        </details>`)}`,n.length?m`<p class="nbagent-label">Settings</p>${Zt(n)}`:f]}var Mo=e=>e.split(`
`,1)[0]??"",Xt=e=>[e.kind,e.depth,e.step,e.at_ms,e.name].join(" ");function Eo(e,{open:t,toggle:n,fork:o,span:s}){return m`<ol class="nbagent-steps">
    ${Ee(e,Xt,r=>{let a=Xt(r),l=`left: ${100*r.at_ms/s}%; width: ${Math.max(.6,100*r.ms/s)}%`,i=r.status==="completed"||r.kind==="pause"?"":`${r.status} · `,d=r.kind==="model"?`${r.step} · ${r.name}`:r.name;return m`<li class="nbagent-step" data-kind=${r.kind} data-status=${r.status} style=${`--nb-depth: ${r.depth}`}>
        <button type="button" class="nbagent-step-head" aria-expanded=${t.has(a)} @click=${()=>n(a)}>
          <span class="nbagent-step-name" title=${d}>${d}</span>
          <span class="nbagent-track" aria-hidden="true"><span class="nbagent-bar" style=${l}></span></span>
          <span class="nbagent-step-note">${i+r.note}</span>
        </button>
        ${t.has(a)?Oo(r):f}
        ${o&&t.has(a)&&r.kind==="model"&&!r.depth&&r.status==="completed"?Ie(r.step,"",o):f}
      </li>`})}
  </ol>`}function Oo(e){let t=(n,o)=>{let s=o.filter(r=>r.text);return s.length?m`${s.map(({role:r,text:a})=>m`<p class="nbagent-label">${r===n?n:`${n}: ${r}`}</p>${Y(a)}`)}`:f};return m`<div class="nbagent-step-body">
    ${e.about?m`<p class="nbagent-more">${e.about}</p>`:f} ${t("in",e.given)} ${t("out",e.came)}
  </div>`}function No(e){return m`<div class="nbagent-message">
    <p class="nbagent-label">${[e.role,e.name].filter(Boolean).join(" · ")}</p>
    ${e.text?Y(e.text):f}
    ${e.calls.map(t=>m`<p class="nbagent-call">calls ${t}</p>`)}
    ${e.files.map(t=>m`<p class="nbagent-more">${t}</p>`)}
  </div>`}function Y(e){return m`<div class="nbagent-block">
    <pre class="nbagent-block-text" tabindex="0">${e}</pre>
    ${N(e)}
  </div>`}function Zt(e){return m`<dl class="nbagent-pairs">${e.map(([t,n])=>m`<dt>${t}</dt><dd>${n}</dd>`)}</dl>`}function Do(e){return m`<p class="nbagent-access">
    <code class="nbagent-code">${e}</code>${N(e,`Copy ${e} from the list`)}
  </p>`}var Ze="fork";function en(e,t,n){let{run:o,close:s}=n,r=new Set,a=(u,h)=>n.command("fork",t,{step:u,prompt:h}),l=u=>{r.delete(u)||r.add(u),c()},i=document.createElement("article");i.className="nbagent-opened",i.setAttribute("aria-label","opened run"),i.addEventListener("keydown",u=>{u.key==="Escape"&&s()});let d=document.createElement("div");d.className="nbagent-opened-card";let p=null;e.append(i);let c=()=>{_(Ho(t,d,n,{open:r,toggle:l,fork:o.details&&!n.state.gone?a:null,span:n.span()}),i),o.card&&!p&&(p=o.renderCard(d))},g=o.follow(n.redraw);return c(),requestAnimationFrame(()=>i.scrollIntoView({block:"nearest",behavior:"auto"})),{update:c,end(){g(),p?.(),i.remove()}}}function Ho(e,t,n,o){let{state:s,run:r,command:a,close:l}=n,i=s.rows.get(e),[d]=i?He(new Map([[e,i]]),new Map):[],{command:p,word:c}=d?.line?K(d,s):{command:null,word:""},g=!!(i&&k(i.row.status)&&!i.row.parent),u=c&&!Le(p)&&c!=="cancelling…",h=s.gone?"It cannot be opened: the kernel is gone.":"Opening…";return m`<div class="nbagent-opened-bar">
      <p class="nbagent-opened-id">${i?i.row.prompt||i.row.title:e}</p>
      <button
        type="button"
        class="nbagent-button nbagent-again"
        ?hidden=${!u}
        aria-disabled=${!p}
        @click=${()=>p&&a(p,e)}
      >${c}</button>
      ${Lo(r.details)}
      ${o.fork&&g?m`<button type="button" class="nbagent-button nbagent-fork-open" aria-expanded=${o.open.has(Ze)} @click=${()=>o.toggle(Ze)}>Fork</button>`:f}
      <button
        type="button"
        class="nbagent-button nbagent-compare"
        title="The next run that you open stands beside this one"
        aria-pressed=${n.comparing()}
        @click=${n.compare}
      >Compare</button>
      <button type="button" class="nbagent-button nbagent-shut" @click=${l}>Close</button>
    </div>
    <p class="nbagent-waiting" ?hidden=${r.card!==null}>${h}</p>
    ${o.fork&&o.open.has(Ze)?Ie(0,r.details?.prompt??"",o.fork):f}
    ${t}
    ${r.details&&g&&!s.gone?Jt(r.details.scores,b=>a("score",e,b)):f}
    <div class="nbagent-sections">${r.details?Qt(r.details,o):f}</div>`}function Lo(e){if(!e)return f;let t=e.answer?N(e.answer,"","Copy answer"):f;return m`${t}${N(e.code,`Copy ${e.code}`,"Copy code")}`}var te=e=>!!e[4]||L(e[2]),Io=([,e,t,,n,,o],s)=>[e,t,n,s,...o].join(`
`).toLowerCase();function tn(e,t,n){let o=t.text.toLowerCase().split(/\s+/).filter(Boolean);return[...e].filter(r=>{if(t.group!=="all"&&te(r)!==(t.group==="failed"))return!1;if(!o.length)return!0;let a=Io(r,n(r));return o.every(l=>a.includes(l))}).sort((r,a)=>Number(te(a))-Number(te(r))||r[0]-a[0])}function nn(e,t){return t.map((n,o)=>{let s=e.map(r=>r[6][o]).filter(r=>r!=null);return s.length>0&&s.every(r=>typeof r=="number")})}var ue=30,sn=10,on=6,Po=[["all","All rows"],["failed","Failed"],["answered","Answered"]];function rn(e,t){let n={text:"",group:"all"},o=document.createElement("div");o.className="nbagent-items",o.hidden=!0;let s=[],r=[],a=[],l=0,i=u=>u[3]===null?"":e.rows.get(u[3])?.row.prompt??"",d=()=>{s=tn(e.items.values(),n,i),r=nn(s.slice(0,200),e.fields)},p=()=>{d();let u=o.querySelector(".nbagent-items-home");u&&(u.scrollTop=0),c()},c=()=>{l=0;let h=o.querySelector(".nbagent-items-home")?.scrollTop??0,b=Math.max(0,Math.floor(h/ue)-on),y=b+sn+2*on;_(Fo({state:e,want:n,found:s,numeric:r,opened:a,first:b,last:y,promptOf:i,refind:p,paintSoon:g,on:t}),o)},g=()=>{l||=requestAnimationFrame(c)};return{el:o,draw(u){a=u,o.hidden=!e.items.size,!o.hidden&&(d(),c())}}}function Fo(e){let{state:t,found:n,numeric:o,first:s,last:r}=e,a=t.ended-t.items.size,l=`minmax(60px, 0.7fr) minmax(80px, 1.6fr) ${"minmax(60px, 1fr) ".repeat(Math.max(1,t.fields.length))}`,i=Math.min(sn,Math.max(1,n.length))*ue+ue+2;return m`${Bo(t.counts)} ${Wo(e)}
    <div
      class="nbagent-items-home"
      role="table"
      aria-label="rows of the batch"
      aria-rowcount=${n.length+1}
      tabindex="0"
      style=${`height: ${i}px; --nb-columns: ${l}`}
      @scroll=${e.paintSoon}
    >
      <div role="rowgroup" class="nbagent-items-head">
        <div class="nbagent-item" role="row">
          <div class="nbagent-cell" role="columnheader">Row</div>
          <div class="nbagent-cell nbagent-item-prompt" role="columnheader">Prompt</div>
          ${t.fields.map((d,p)=>m`<div class=${`nbagent-cell ${o[p]?"nbagent-number":""}`} role="columnheader">${d}</div>`)}
          ${t.fields.length?f:m`<div class="nbagent-cell" role="columnheader">Answer</div>`}
        </div>
      </div>
      <div role="rowgroup" class="nbagent-items-rows" style=${`height: ${n.length*ue}px`}>
        ${n.slice(s,r).map((d,p)=>Vo(d,s+p,e))}
      </div>
    </div>
    ${n.length?f:m`<p class="nbagent-more">No row matches.</p>`}
    ${a>0?m`<p class="nbagent-more">${x(t.items.size)} of ${x(t.ended)} rows are listed; to_frame() has all</p>`:f}`}function Bo(e){return e.length?m`<div class="nbagent-counts">
    ${e.map(([t,n])=>{let o=Math.max(...n.map(([,s])=>s));return m`<div class="nbagent-kinds" role="list" aria-label=${`answers by ${t}`}>
        <p class="nbagent-label" aria-hidden="true">${t}</p>
        ${n.map(([s,r])=>m`<div class="nbagent-kind" role="listitem">
              <span class="nbagent-kind-name" title=${s}>${s||"(empty)"}</span
              ><span class="nbagent-kind-track" aria-hidden="true"
                ><span class="nbagent-kind-bar" style=${`width: ${100*r/o}%`}></span></span
              ><span class="nbagent-kind-count">${x(r)}</span>
            </div>`)}
      </div>`})}
  </div>`:f}function Wo({state:e,want:t,refind:n,on:o}){let s=[...e.items.values()].filter(te).length,r={all:e.items.size,failed:s,answered:e.items.size-s},a=l=>{t.group=l,n()};return m`<div class="nbagent-filters" role="search" aria-label="rows of the batch">
    <div class="nbagent-groups" role="group" aria-label="Rows">
      ${Po.map(([l,i])=>m`<button type="button" class="nbagent-group" aria-pressed=${t.group===l} @click=${()=>a(l)}>${i}<span class="nbagent-count"> ${x(r[l])}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search rows"
      spellcheck="false"
      aria-label="Search rows by text"
      .value=${t.text}
      @input=${l=>{t.text=l.target.value,n()}}
    />
    ${jo(e,s,o)}
  </div>`}function jo(e,t,n){let o=e.only??"";if(!t||e.gone||!e.batches.get(o)?.finished)return f;let s=e.asked.has(o);return m`<button
    type="button"
    class="nbagent-button"
    aria-disabled=${s}
    @click=${()=>n.command("retry_batch",o)}
  >${s?"retrying…":`Retry ${x(t)} failed`}</button>`}function Vo(e,t,{state:n,numeric:o,opened:s,promptOf:r,on:a}){let[,l,i,d,p,c,g]=e,u=d!==null&&n.rows.has(d)?m`<button type="button" class="nbagent-link" aria-expanded=${s.includes(d)} @click=${()=>a.openRun(d)}>${l}</button>`:l,h=te(e),b=h||!n.fields.length;return m`<div
    class="nbagent-item"
    role="row"
    aria-rowindex=${t+2}
    data-status=${h?"error":i}
    style=${`transform: translateY(${t*ue}px)`}
  >
    <div class="nbagent-cell" role="cell"><span class="nbagent-chip" title=${i}></span>${u}</div>
    <div class="nbagent-cell nbagent-item-prompt" role="cell">${r(e)||(c?"from an earlier run":"")}</div>
    ${b?m`<div class="nbagent-cell nbagent-item-error" role="cell" title=${p}>${p||i}</div>`:n.fields.map((y,T)=>m`<div class=${`nbagent-cell ${o[T]?"nbagent-number":""}`} role="cell">${g[T]??""}</div>`)}
  </div>`}var ln={status:e=>e.status,title:e=>e.title.toLowerCase(),model:e=>e.model.toLowerCase(),tokens:e=>e.tokens,cost:e=>e.cost,time:(e,t)=>e.began===null?null:(e.ended??t)-e.began,created:e=>e.created},cn=e=>e in ln;function dn(e){if(e.hay===null){let{title:t,agent:n,model:o,session:s,id:r,prompt:a,says:l,error:i,batch:d,owner:p}=e.row;e.hay=[t,n,o,s??"",r,a,l,i,d??"",p].join(`
`).toLowerCase()}return e.hay}var an=(e,t=0)=>t||e==="paused"?0:e==="running"?1:e==="pending"?2:3;function Uo(e,t,n){if(!t&&e.line&&!e.kids){let{status:r,created_ms:a}=e.line.row;return{node:e,value:null,first:an(r),created:a??0}}let o=D(e),s=t?ln[t.by](o,n):null;return{node:e,value:s,first:an(o.status,o.waiting),created:o.created??0}}function Go(e,t,n){let o=e.map(r=>Uo(r,t,n)),s=(r,a)=>a.created-r.created||(r.node.key<a.node.key?1:-1);return o.sort((r,a)=>t?r.value===null||a.value===null?+(r.value===null)-+(a.value===null)||s(r,a):r.value===a.value?s(r,a):(r.value<a.value?-1:1)*(t.down?-1:1):r.first-a.first||s(r,a)),o.map(r=>r.node)}var un={self:!0,kids:new Map};function pn(e,t){let n=e.line?t.test(e.line):!1;if(!e.kids)return n?un:null;let o=mn(e.kids,t);return n||o.size?{self:n,kids:o}:null}function mn(e,t){let n=new Map;for(let o of e){let s=pn(o,t);s&&n.set(o,s)}return n}function gn(e,t,n,o,s){let r=[],a=(l,i,d)=>{for(let p of Go([...l.keys()],d,s)){let c=l.get(p);if(r.push({node:p,depth:i}),p.unfolded=o.get(p.key)??(t.narrow&&!c.self&&c.kids.size>0),!p.unfolded||!p.kids)continue;let u=c.self&&p.line?new Map(p.kids.map(h=>[h,pn(h,t)??un])):c.kids;a(u,i+1,d??(p.line?{by:"created",down:!1}:null))}};return a(mn(e,t),0,n),r}var Pe=[["all","All",()=>!0],["waiting","Waiting",e=>e==="paused"],["running","Running",e=>!k(e)&&e!=="paused"],["completed","Completed",e=>e==="completed"],["failed","Failed",L],["cancelled","Cancelled",e=>e==="cancelled"]],Fe=["agent","model","session"],et={text:"",group:"all",agent:"",model:"",session:""};function tt(e){let t=e.text.toLowerCase().split(/\s+/).filter(Boolean),n=Pe.find(([o])=>o===e.group)?.[2]??(()=>!0);return{narrow:!!(t.length||e.agent||e.model||e.session||e.group!=="all"),test(o){let{row:s}=o;if(!n(s.status))return!1;for(let r of Fe)if(e[r]&&s[r]!==e[r])return!1;return!t.length||t.every(r=>dn(o).includes(r))}}}function bn(e,t){let n={runs:0,running:0,tokens:null,cost:null,priced:0,called:0,counts:{all:0,waiting:0,running:0,completed:0,failed:0,cancelled:0}};for(let o of e){let{row:s}=o;for(let[r,,a]of Pe)a(s.status)&&(n.counts[r]+=1);t.test(o)&&(n.runs+=1,!k(s.status)&&s.status!=="paused"&&(n.running+=1),s.tokens!==null&&(n.tokens=(n.tokens??0)+s.tokens),s.priced!==null&&(n.called+=1),s.cost!==null&&(n.cost=(n.cost??0)+s.cost,n.priced+=1))}return n}var qo=/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,fn=48;function hn(e){let t=new Map;for(let{row:o}of e){if(!o.session||o.parent)continue;let s=t.get(o.session);(!s||(o.created_ms??0)<(s.created_ms??0))&&t.set(o.session,o)}let n=new Map;for(let[o,s]of t){let r=s.prompt.length>fn?`${s.prompt.slice(0,fn-1)}…`:s.prompt;n.set(o,qo.test(o)?r||s.title:o)}return n}var zo=200;function $n(e,t,n){let o=new Map;for(let{row:a}of e){let l=a[t];l&&o.set(l,(o.get(l)??0)+1)}let r=[...o].filter(([,a])=>t!=="session"||a>1).slice(0,zo).map(([a])=>a).sort();return n&&!r.includes(n)&&r.push(n),r}var Ko=["This panel’s kernel is gone; what it showed last is below.","Run the cell again for a live one."];function yn(e,t,n){let o=document.createElement("div");o.className="nbagent-bars";let s=null,r=!1,a={agent:[],model:[],session:[]},l=new Map;return{el:o,sum(d){s=bn(e.rows.values(),d),r=d.narrow},choose(){a={agent:[],model:[],session:[]},l=hn(e.rows.values());for(let d of Fe)a[d]=$n(e.rows.values(),d,t[d])},draw:()=>{let d=(s?.counts.running??0)+(s?.counts.waiting??0);_(m`${Jo(e,t,s,r,d,n)}${Qo(e)}${Zo(e,t,s,a,l,n)}`,o),o.parentElement?.toggleAttribute("data-gone",e.gone)}}}function Yo(e,t,n){let o=t.group==="waiting";if(!e&&!o)return f;let s=()=>{t.group=o?"all":"waiting",n.refilter()},r=e===1?"1 waits for you":e?`${x(e)} wait for you`:"none waits";return m`<button type="button" class="nbagent-button nbagent-waits" aria-pressed=${o} @click=${s}>${r}</button>`}function Jo(e,t,n,o,s,r){let a=e.asked.has(""),l=s>0&&!e.gone&&e.only===null,i=a?"cancelling…":s>1?`Cancel all ${x(s)}`:"Cancel it";return m`<div class="nbagent-panel-head">
    ${Yo(n?.counts.waiting??0,t,r)}
    <p class="nbagent-totals" role="status">${n?Xo(e,n,o):"nbagent"}</p>
    ${e.gone?f:Se()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel-all"
      ?hidden=${!l}
      aria-disabled=${a}
      @click=${()=>r.command("cancel_all","")}
    >${i}</button>
  </div>`}function Xo(e,t,n){let{budgets:o}=e;if(!e.rows.size)return["nbagent",...o].join(" · ");let s=n?e.rows.size:Math.max(e.total,e.rows.size);return[t.running?`${x(t.running)} running`:"",t.runs<s?`${x(t.runs)} of ${x(s)} runs`:q(s,"run"),t.tokens===null?"":`${Te(t.tokens)} tokens`,t.cost===null?"":ke(t.cost),t.priced<t.called?`cost known for ${x(t.priced)} of ${x(t.called)}`:"",...o].filter(Boolean).join(" · ")}function Qo(e){let t=[...e.gone?[Ko]:[],...e.trouble.length&&!e.gone?[e.trouble]:[],...e.said];return m`<div class="nbagent-trouble" role="alert" ?hidden=${!t.length}>
    ${t.map(([n,o])=>m`<div class="nbagent-one-trouble"><p class="nbagent-what">${n}</p><p class="nbagent-todo">${o}</p></div>`)}
  </div>`}function Zo(e,t,n,o,s,r){let a=(l,i)=>{t[l]=i,r.refilter()};return m`<div class="nbagent-filters" role="search" aria-label="runs" ?hidden=${!e.rows.size||e.only!==null}>
    <div class="nbagent-groups" role="group" aria-label="Status">
      ${Pe.map(([l,i])=>m`<button
            type="button"
            class="nbagent-group"
            aria-pressed=${t.group===l}
            @click=${()=>a("group",l)}
          >${i}<span class="nbagent-count"> ${x(n?.counts[l]??0)}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search runs"
      spellcheck="false"
      aria-label="Search runs by text"
      .value=${t.text}
      @input=${l=>a("text",l.target.value)}
    />
    ${Fe.map(l=>m`<select
          class="nbagent-select"
          aria-label=${`Filter by ${l}`}
          ?hidden=${o[l].length<2&&!t[l]}
          @change=${i=>a(l,i.target.value)}
        >
          <option value="" ?selected=${!t[l]} .selected=${!t[l]}>Any ${l}</option>
          ${o[l].map(i=>m`<option value=${i} .selected=${i===t[l]}>${l==="session"?s.get(i)??i:i}</option>`)}
        </select>`)}
  </div>`}var vn=[["status","Status"],["title","Run"],["model","Model"],["owner","Where"],["says","Answer"],["tokens","Tokens"],["cost","Cost"],["time","Time"],["created","Launched"],["action",""]],es="from cache";function wn({node:e,depth:t},n,o,s){let{seen:r,state:a,now:l}=s,i=D(e),d=e.line?.row??null,p=K(e,a),c=d?.reason.endsWith(es)??!1,g=c?"":d?.reason,u=c?"cached":i.tokens===null?i.status==="completed"?"?":"":x(i.tokens),h=e.kids?d?`+${e.kids.length}`:`× ${x(i.of)}`:"",b=i.cost===null?i.priced===!1&&k(i.status)?"?":"":`${i.priced===!1?"≥ ":""}${ke(i.cost)}`;return m`<div
    class="nbagent-line"
    role="row"
    id=${n}
    style=${`transform: translateY(${o*P}px); --nb-depth: ${t}`}
    data-key=${e.key}
    data-status=${i.status}
    data-offer=${`${e.key} ${p.command}`}
    aria-rowindex=${o+2}
    aria-level=${t+1}
    aria-selected=${r.open.includes(e.key)}
    aria-expanded=${e.kids?e.unfolded:f}
    ?data-active=${r.active===e.key}
    ?data-batch=${!d}
    ?data-asks=${!!d?.asks}
    ?data-waits=${i.waiting>0}
  >
    <div class="nbagent-cell nbagent-c-status" role="gridcell"
      ><span class="nbagent-chip">${g?`${i.status}: ${g}`:i.status}</span></div
    >
    <div class="nbagent-cell nbagent-c-title" role="gridcell"
      ><span class="nbagent-twist" data-part="twist" aria-hidden="true" ?hidden=${!e.kids}></span
      ><span class="nbagent-title">${i.title}</span><span class="nbagent-kids">${h}</span>${d&&ns(d,a)}</div
    >
    <div class="nbagent-cell nbagent-c-model" role="gridcell">${i.model}</div>
    <div class="nbagent-cell nbagent-c-owner" role="gridcell" title=${d?.owner||f}>${d?.owner}</div>
    ${d?.asks?ts(d,d.asks,a):d?os(d,i.waiting):ss(i,l)}
    <div class="nbagent-cell nbagent-c-tokens" role="gridcell">${u}</div>
    <div class="nbagent-cell nbagent-c-cost" role="gridcell">${b}</div>
    <div class="nbagent-cell nbagent-c-time" role="gridcell">${rs(i,l)}</div>
    <div class="nbagent-cell nbagent-c-created" role="gridcell">${i.created===null?"":xt(i.created,l)}</div>
    <div class="nbagent-cell nbagent-c-action" role="gridcell"
      ><button
        type="button"
        class="nbagent-button nbagent-act"
        tabindex="-1"
        data-part="action"
        data-command=${p.command??""}
        aria-disabled=${!p.command}
        aria-label=${`${p.word} ${i.title}`}
        ?hidden=${!p.word}
      >${p.word}</button></div
    >
  </div>`}function ts(e,[t,n,o],s){let r=s.asked.has(e.id)||s.gone,a=(i,d)=>m`<button
      type="button"
      class=${`nbagent-button nbagent-act nbagent-${i}`}
      tabindex="-1"
      data-part=${i}
      aria-disabled=${r}
      aria-label=${`${d} ${n}`}
    >${d}</button>`,l=o===void 0?f:m`${a("approve","Approve")}${a("deny","Deny")}`;return m`<div class="nbagent-cell nbagent-c-says nbagent-asks" role="gridcell" ?data-one=${o!==void 0}
    ><code class="nbagent-asked-line" title=${n}>${n}</code>${l}<button
      type="button"
      class="nbagent-button nbagent-act nbagent-review"
      tabindex="-1"
      data-part="row"
      aria-label=${`Review ${e.title}`}
    >${t>1?`Review ${t}`:"Review"}</button></div
  >`}function ns(e,t){let n=k(e.status)?t.stale.get(e.id):void 0;return n?m`<span class="nbagent-stale" title=${`stale: ${n}`}>stale<span class="nbagent-unseen">: ${n}</span></span>`:f}function os(e,t){let n=t?`${q(t,"member")} ${t===1?"waits":"wait"} for you`:"",o=e.error||n||e.says;return m`<div
    class="nbagent-cell nbagent-c-says"
    role="gridcell"
    ?data-prompt=${!o}
    ?data-error=${!!e.error}
  >${o||e.prompt}</div>`}function ss(e,t){let n=Kt(e,t),o=e.of-e.open,s=[["completed",o-e.failed-e.cancelled],["failed",e.failed],["cancelled",e.cancelled]];return m`<div class="nbagent-cell nbagent-c-says" role="gridcell" title=${n.join(" · ")}
    ><div
      class="nbagent-progress"
      role="progressbar"
      aria-label=${`batch ${e.title}`}
      aria-valuemin="0"
      aria-valuemax=${e.of}
      aria-valuenow=${o}
      aria-valuetext=${n.join(", ")}
    >${s.map(([r,a])=>m`<div class=${`nbagent-progress-part nbagent-p-${r}`} style=${`width: ${100*a/e.of}%`}></div>`)}</div>${n.join(" · ")}</div
  >`}function rs(e,t){return e.began===null?"":e.ended!==null?ze(e.ended-e.began):ze(k(e.status)?0:t-e.began)}var P=34,Be=12,as=6,xn=6,is=300,ls=0;function kn(e){let t=`nbagent-grid-${ls+=1}-${Math.random().toString(36).slice(2,8)}`,n=cs(),o=(p,c)=>{let g=document.createElement("div");return g.className=`nbagent-${p}`,c&&g.setAttribute("role",c),g},s=o("grid-head","rowgroup"),r=o("sizer","rowgroup"),a=o("empty",null);n.append(s,r,a),_(Tn(e.sort,null),s);let l=new nt(r),i=0,d=-1;return n.addEventListener("scroll",e.scroll,{passive:!0}),n.addEventListener("keydown",p=>{p.target===n&&e.key(p)}),r.addEventListener("click",p=>{let c=p.target,g=c.closest(".nbagent-line");if(!g)return;let u=c.closest("[data-part]")?.dataset.part??"row";u!=="row"&&u!=="twist"&&!l.meant(p,g)||u==="row"&&String(getSelection())||e.click(g.dataset.key??"",u)}),new ResizeObserver(e.scroll).observe(n),{el:n,showSort:p=>{_(Tn(e.sort,p),s)},showEmpty(p,c){a.hidden=!p,s.hidden=r.hidden=!!p,_(p?ds(p,c):f,a)},reveal(p){let c=s.offsetHeight,g=p*P;g<n.scrollTop?n.scrollTop=g:g+P+c>n.scrollTop+n.clientHeight&&(n.scrollTop=g+P+c-n.clientHeight)},paint(p,c){let{lines:g}=p,u=`${g.length*P}px`;r.style.height!==u&&(r.style.height=u);let h=Math.min(p.open.length?as:Be,Math.max(1,g.length));h!==i&&n.style.setProperty("--nb-rows",String(i=h)),g.length!==d&&n.setAttribute("aria-rowcount",String((d=g.length)+1));let b=Math.max(0,Math.floor(n.scrollTop/P)-xn),y=Math.min(g.length,Math.ceil((n.scrollTop+n.clientHeight)/P)+xn),T=pe(c),A=g.slice(b,y);_(A.map((S,H)=>wn(S,`${t}-${H}`,b+H,{seen:p,state:c,now:T})),r),l.look();let R=A.findIndex(S=>S.node.key===p.active);R>=0?n.setAttribute("aria-activedescendant",`${t}-${R}`):n.removeAttribute("aria-activedescendant")}}}function cs(){let e=document.createElement("div");return e.className="nbagent-grid",e.tabIndex=0,e.setAttribute("role","treegrid"),e.setAttribute("aria-label","Runs"),e.setAttribute("aria-description","Enter opens a run, Right and Left unfold and fold, Delete cancels."),e}var nt=class{constructor(t){this.home=t;t.addEventListener("pointerdown",n=>{let o=n.target.closest(".nbagent-line");this.#n=o&&!o.hasAttribute("data-moved")?o.dataset.offer??null:null})}home;#e=new WeakMap;#t=new WeakMap;#n=null;meant(t,n){return!t.detail||this.#n===n.dataset.offer}look(){for(let t of this.home.children){let n=t.dataset.offer??"",o=this.#e.get(t);this.#e.set(t,n),!(o===void 0||o===n)&&(t.setAttribute("data-moved",""),clearTimeout(this.#t.get(t)),this.#t.set(t,setTimeout(()=>t.removeAttribute("data-moved"),is)))}}};function Tn(e,t){return m`<div class="nbagent-line" role="row">
    ${vn.map(([n,o])=>{let s=t?.by===n?t.down?"descending":"ascending":f;return m`<div class=${`nbagent-cell nbagent-c-${n}`} role="columnheader" aria-sort=${s}>
        ${cn(n)?m`<button type="button" class="nbagent-sort" @click=${()=>e(n)}>${o}</button>`:o||m`<span class="nbagent-unseen">Action</span>`}
      </div>`})}
  </div>`}function ds([e,t],n){let o=t==="clear"?m`<button type="button" class="nbagent-button" @click=${n}>Clear filters</button>`:t?m`<p class="nbagent-todo">Launch one from a cell:</p>
            <pre class="nbagent-sample">${t}</pre>`:f;return m`<p>${e}</p>
    ${o}`}var us=new Set(["tokens","cost","time","created"]),ps={tokens:["tokens"],cost:["cost"],time:["began_ms","ended_ms"]},ms=`%%agent_bg
What is the capital of France?`;function _n(e,t){let{state:n,command:o}=t,s={...et},r=new Map,a={sort:null,lines:[],active:null,open:[]},l=new Map,i=new Map,d=!1,p=null,c=0,g=document.createElement("section");g.className="nbagent-panel",g.setAttribute("aria-label",n.only===null?"nbagent runs":"nbagent batch"),g.dataset.lmSuppressShortcuts="true";let u=yn(n,s,{refilter:S,command:o}),h=kn({sort:H,key:Mn,click:ot,scroll:oe}),b=document.createElement("div");b.className="nbagent-below";let y=rn(n,{openRun:me,command:o});g.append(u.el,h.el,y.el,b),e.classList.add("nbagent"),e.append(g);function T(){p??=He(n.rows,n.batches);let $=tt(s);h.el.toggleAttribute("data-owners",[...n.rows.values()].some(v=>v.row.owner)),a.lines=gn(p,$,a.sort,r,pe(n)),a.lines.some(v=>v.node.key===a.active)||(a.active=a.lines[0]?.node.key??null),u.sum($),h.showEmpty(A(),R)}function A(){return a.lines.length?null:!n.loaded&&!n.trouble.length?["Reading the record…",""]:n.rows.size?["No run matches.","clear"]:n.trouble.length?["The record cannot be read now.",""]:n.only?[n.batches.get(n.only)?.finished?"No row had to be asked.":"No row is asked yet.",""]:["No runs yet.",ms]}function R(){Object.assign(s,et),S()}function S(){h.el.scrollTop=0,T(),u.draw(),oe()}function H($){let v=us.has($);a.sort?.by!==$?a.sort={by:$,down:v}:a.sort=a.sort.down===v?{by:$,down:!v}:null,h.showSort(a.sort),T(),oe()}function E($){let v=Math.max(0,Math.min(a.lines.length-1,$)),w=a.lines[v];w&&(a.active=w.node.key,h.reveal(v),ne())}function M($,v=!$.unfolded){$.kids&&(r.set($.key,v),T(),ne())}function me($){let[v]=a.open;a.open.includes($)?a.open=a.open.filter(w=>w!==$):a.open=d&&v!==void 0?[v,$]:[$],d=!1;for(let[w,F]of l)a.open.includes(w)||(F.end(),l.delete(w));for(let w of a.open)l.has(w)||l.set(w,en(b,w,Cn(w)));b.toggleAttribute("data-two",a.open.length>1),ge(),y.draw(a.open),ne()}function Cn($){let v=t.openRun($);return i.set($,v),{state:n,command:o,run:v,redraw:ge,close(){me($),h.el.focus()},compare(){d=!d,ge()},comparing:()=>d,span:()=>Math.max(1,...a.open.map(w=>i.get(w)?.details?.steps.span_ms??0))}}function ge(){l.forEach($=>$.update())}function ot($,v){let w=a.lines.find(F=>F.node.key===$)?.node;w&&(a.active=$,v==="action"?st(w):v==="approve"||v==="deny"?Rn(w,v):v==="twist"||!w.line?M(w):me($),ne())}function Rn($,v){let[,,w,F]=$.line?.row.asks??[];w===void 0||F===void 0||o(v,$.key,{step:w,tool_call_id:F})}function st($){let{command:v}=K($,n);v&&o(v,Qe($))}function Mn($){let v=a.lines.findIndex(w=>w.node.key===a.active);En($.key,v,a.lines[v]?.node)&&$.preventDefault()}function En($,v,w){let rt={ArrowDown:v+1,ArrowUp:v-1,PageDown:v+Be-1,PageUp:v+1-Be,Home:0,End:a.lines.length-1}[$];if(rt!==void 0)E(rt);else if($==="ArrowRight"&&w?.kids)M(w,!0);else if($==="ArrowLeft"&&w?.unfolded)M(w,!1);else if(($==="Enter"||$===" ")&&w)ot(w.key,"row");else if($==="Delete"&&w&&Le(K(w,n).command))st(w);else if($==="Escape"&&a.open.length)me(a.open.at(-1));else return!1;return!0}function ne(){c=0,h.paint(a,n)}function oe(){c||=requestAnimationFrame(ne)}let On=$=>s.text&&($.has("says")||$.has("error"))?!0:!!(a.sort&&ps[a.sort.by]?.some(v=>$.has(v)));return{update($){if($==="time"){a.lines.some(({node:v})=>!k(D(v).status))&&oe();return}$==="all"?p=null:$!=="cells"&&Xe(p??[]),$==="all"||$!=="cells"&&On($)?T():$!=="cells"&&u.sum(tt(s)),$==="all"&&u.choose(),$==="all"&&y.draw(a.open),$==="cells"&&y.draw(a.open),u.draw(),ge(),oe()},end(){cancelAnimationFrame(c),l.forEach($=>$.end())}}}var gs=12e3,fs=3e4,pe=e=>e.stoppedMs??Date.now()+e.skewMs;function An(e){let t={rows:new Map,batches:new Map,stale:new Map,total:0,loaded:!1,trouble:[],budgets:[],said:[],asked:new Map,only:null,items:new Map,fields:[],counts:[],ended:0,gone:!1,skewMs:0,stoppedMs:null},n=new Set,o=new Map,s=new z(()=>{C(e,"resend_table","")}),r=bs(t),a=b=>{b==="all"&&r(),n.forEach(y=>y.update(b))},l=[],i=b=>{if(!b?.columns)return;l=b.columns;let y=JSON.parse(b.lines).map(M=>Sn(l,M));t.rows=new Map(y.map(M=>[M.row.id,M])),t.batches=new Map(Object.entries(b.batches)),t.stale=new Map(Object.entries(b.stale));let{total:T,loaded:A,trouble:R,budgets:S,only:H}=b;Object.assign(t,{total:T,loaded:A,trouble:R,budgets:S,only:H,gone:!1,stoppedMs:null}),t.skewMs=b.now_ms-Date.now();let{listed:E}=b;E&&(t.items=new Map(JSON.parse(E.items).map(M=>[M[0],M])),Object.assign(t,{fields:E.fields,counts:E.counts,ended:E.ended})),s.restart(b.seq),a("all")},d=b=>{if("run"in b)o.get(b.run)?.hear(b);else if("said"in b)p(b.said);else if(s.accept(b?.seq)){let y=$s(t,l,b);y===null?s.resync():a(y)}},p=b=>{t.asked.delete(b.run_id);let{error:y}=b;y&&(t.said=[...t.said.slice(-2),y],setTimeout(()=>{t.said=t.said.filter(T=>T!==y),a("cells")},gs)),a("cells")},c=async(b,y,T={})=>{if(t.asked.has(y)||t.gone)return;let A={name:b,how:"heard"};t.asked.set(y,A),a("cells");let R=await C(e,b,y,T),S=(H,E)=>{setTimeout(()=>{t.asked.get(y)===A&&(H(),a("cells"))},E)};R==="none"&&g(),R==="comm"&&S(()=>A.how="waiting",3e3),S(()=>t.asked.delete(y),fs),a("cells")},g=()=>{t.gone||(t.stoppedMs=pe(t),t.gone=!0,a("all"))};i(e.get("table")),e.on("change:table",()=>i(e.get("table"))),e.on("msg:custom",d),wt(e,g);let u=setInterval(()=>document.hidden||t.gone||a("time"),1e3),h=b=>{let y=o.get(b)??Ut(e);return o.set(b,y),t.gone||C(e,"open",b),y};return{end:()=>clearInterval(u),render(b){let y=_n(b,{state:t,openRun:h,command:(A,R,S)=>{c(A,R,S)}}),T=xe(e.get("key"));return n.add(y),y.update("all"),()=>{n.delete(y),y.end(),T()}}}}function bs(e){let t=new Map,n=new Set,o=!0;return()=>{let s=new Map;for(let{row:r}of e.rows.values()){let a=o||n.has(r.id)?t.get(r.id):"pending",l=a==="pending"&&r.status!=="paused"&&!t.has(r.id)?null:le(a,r.status);n.add(r.id),(l==="waits"||l&&!r.parent&&!r.batch)&&ce(r.id,l,r),k(r.status)||s.set(r.id,r.status)}for(let[r,{finished:a}]of e.batches){let l=a?"completed":"running",i=le(t.get(r),l);i&&ce(r,i,{title:`batch ${hs(e,r)}`,status:l}),a||s.set(r,l)}t=s,o=!1}}function hs(e,t){for(let{row:n}of e.rows.values())if(n.batch===t)return n.title;return""}function Sn(e,t){let n={};for(let o=0;o<e.length;o+=1)n[e[o]]=t[o]??null;return{row:n,hay:null}}function $s(e,t,n){e.skewMs=n.now_ms-Date.now();let{total:o,loaded:s,trouble:r,budgets:a}=n;o!==void 0&&(e.total=o),s!==void 0&&(e.loaded=s),r!==void 0&&(e.trouble=r),a!==void 0&&(e.budgets=a);let i=Object.entries(n.batches??{}).some(([p,c])=>c.finished&&!e.batches.get(p)?.finished)||!!n.new||r!==void 0||a!==void 0||s!==void 0;for(let[p,c]of Object.entries(n.stale??{}))c?e.stale.set(p,c):e.stale.delete(p);for(let[p,c]of Object.entries(n.batches??{})){let g=e.batches.get(p);g?Object.assign(g,c):(e.batches.set(p,c),i=!0),c.finished&&e.asked.delete(p)}for(let p of n.new??[])e.rows.set(String(p[0]),Sn(t,p));for(let p of n.gone??[])i=e.rows.delete(p)||i;for(let p of n.items??[])e.items.set(p[0],p);n.items&&(i=!0);for(let p of["fields","counts","ended"])n[p]!==void 0&&Object.assign(e,{[p]:n[p]});let d=new Set;for(let p of n.cells??[])if(!ys(e,t,p,d))return null;return i||d.has("status")||d.has("created_ms")?"all":d}function ys(e,t,n,o){let[s,...r]=n,a=e.rows.get(s);if(!a)return!1;a.hay=null;let l=a.row;for(let i=0;i<r.length;i+=2){let d=t[Number(r[i])];d!==void 0&&(l[d]=r[i+1]??null,o.add(d),(d==="status"||d==="asks")&&e.asked.delete(s))}return!0}var vs=()=>{let e=()=>()=>{};return{initialize({model:t}){let n=t;Vt(n);let o=()=>{};if(t.get("shows")==="table"){let r=An(n);[e,o]=[r.render,r.end]}else{let r=De();r.initialize(n),e=a=>r.render(n,a)}let s=jt(t.get("host"),e);return()=>{s(),o()}},async render({model:t,el:n}){let o=t.get("host"),s=await Bt(t.widget_manager);if(!s||!Wt(s,o))return e(n);C(t,"hosted",o)}}},Wa=vs;export{Wa as default};
/*! Bundled license information:

lit-html/lit-html.js:
lit-html/directive.js:
lit-html/directives/repeat.js:
  (**
   * @license
   * Copyright 2017 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directive-helpers.js:
  (**
   * @license
   * Copyright 2020 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directives/keyed.js:
  (**
   * @license
   * Copyright 2021 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)
*/
